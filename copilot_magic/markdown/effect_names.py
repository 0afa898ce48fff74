"""Which functions, methods and commands do what: the tables behind `effects`."""

from __future__ import annotations

import re
from functools import cache

__all__ = [
    "CODE",
    "DELETES",
    "EFFECTS",
    "EFFECTS_OF_FUNCTIONS",
    "FUNCTIONS",
    "METHODS",
    "MODULES",
    "NETWORK",
    "OPENERS",
    "PATH_METHODS",
    "PROCESSES",
    "USUAL_NAMES",
    "WRITES",
    "in_network_module",
    "may_have",
    "shell_effects",
]

DELETES = "deletes files"
WRITES = "writes files"
PROCESSES = "starts processes"
NETWORK = "uses the network"
CODE = "runs text as code"
EFFECTS = (DELETES, WRITES, PROCESSES, NETWORK, CODE)
"""All effects, in the order in which they are said."""


def _all(prefix: str, names: str) -> list[str]:
    return [f"{prefix}{name}" for name in names.split()]


FUNCTIONS = {
    DELETES: {
        *_all("os.", "remove unlink rmdir removedirs"),
        *("shutil.rmtree", "send2trash.send2trash"),
    },
    WRITES: {
        *_all("os.", "rename renames replace truncate symlink link mkfifo"),
        *_all("shutil.", "copy copy2 copyfile copytree move make_archive unpack_archive"),
        *_all("numpy.", "save savez savez_compressed savetxt"),
        *_all("matplotlib.pyplot.", "imsave"),
        *("joblib.dump", "torch.save", "cv2.imwrite", "imageio.imwrite", "imageio.v3.imwrite"),
        *("skimage.io.imsave", "scipy.io.savemat", "scipy.io.wavfile.write", "soundfile.write"),
        *("pandas.ExcelWriter", "xlsxwriter.Workbook", "urllib.request.urlretrieve"),
        *("logging.FileHandler", "logging.handlers.RotatingFileHandler"),
    },
    PROCESSES: {
        *_all("os.", "system popen fork forkpty kill killpg startfile posix_spawn posix_spawnp"),
        *_all("os.exec", "l le lp lpe v ve vp vpe"),
        *_all("os.spawn", "l le lp lpe v ve vp vpe"),
        *_all("subprocess.", "run call check_call check_output Popen getoutput getstatusoutput"),
        *_all("multiprocessing.", "Process Pool Manager pool.Pool"),
        *_all("asyncio.", "create_subprocess_exec create_subprocess_shell"),
        *("concurrent.futures.ProcessPoolExecutor", "pty.spawn", "webbrowser.open"),
        *_all("pexpect.", "spawn run"),
    },
    NETWORK: {
        *_all("requests.", "get post put patch delete head options request Session session"),
        *_all("httpx.", "get post put patch delete head options request stream Client AsyncClient"),
        *_all("urllib.request.", "urlopen urlretrieve"),
        *_all("socket.", "socket create_connection create_server"),
        *_all("asyncio.", "open_connection start_server"),
        *("nltk.download", "seaborn.load_dataset", "torch.hub.load", "aiohttp.ClientSession"),
    },
    CODE: {"runpy.run_path", "runpy.run_module", "code.interact"},
}
"""Functions by their full names, for each effect; mentioning one counts, as in `map(os.remove, …)`.

`subprocess.run` and the like also have the effects of their command.
"""

EFFECTS_OF_FUNCTIONS = {
    name: {effect for effect, names in FUNCTIONS.items() if name in names}
    for names in FUNCTIONS.values()
    for name in names
}

MODULES = {
    *_all("", "requests httpx aiohttp urllib.request urllib3 http.client http.server socketserver"),
    *_all("", "socket smtplib ftplib poplib imaplib telnetlib nntplib xmlrpc paramiko fabric"),
    *_all("", "boto3 botocore websocket websockets google.cloud azure pymongo psycopg psycopg2"),
    *_all("", "redis pymysql wget gdown yfinance kaggle tweepy selenium playwright"),
    *_all("", "huggingface_hub openai anthropic ollama"),
}
"""Modules whose functions use the network, if they are imported."""

_NO_NETWORK = re.compile(
    r"socket\.(?:gethostname|getfqdn|inet_|hton|ntoh|if_)|\w+\.(?:exceptions|utils|auth|util)\.\w"
    r"|\w+\.\w*(?:Error|Exception|Timeout|warnings)$|http\.client\.responses"
)

METHODS = {
    **dict.fromkeys(
        _all("to_", "csv json html latex markdown string xml parquet feather orc pickle excel hdf")
        + _all("to_", "stata netcdf zarr file")
        + _all("write_", "csv parquet json ndjson excel ipc avro delta html image")
        + _all("sink_", "csv parquet ipc ndjson")
        + _all("save_", "pretrained model weights to_disk")
        + ["savefig", "tofile", "write_text", "write_bytes"],
        WRITES,
    ),
    **dict.fromkeys(["unlink", "rmdir", "rmtree"], DELETES),
}
"""Methods that have an effect whatever their object is: those that write, if they get a target."""

PATH_METHODS = frozenset(["rename", "replace", "touch", "symlink_to", "hardlink_to"])
"""Methods of a `pathlib.Path` that write; other objects have methods of these names, too."""

OPENERS = {
    **dict.fromkeys(
        [
            *("open", "io.open", "codecs.open", "gzip.open", "bz2.open", "lzma.open", "os.fdopen"),
            *("gzip.GzipFile", "bz2.BZ2File", "lzma.LZMAFile", "zipfile.ZipFile", "tarfile.open"),
            *("tarfile.TarFile", "wave.open", "h5py.File", "netCDF4.Dataset", "aiofiles.open"),
            *("fsspec.open", "smart_open.open", "dbm.open"),
        ],
        "r",
    ),
    "shelve.open": "c",
    "pandas.HDFStore": "a",
}
"""Functions that open a file, the second argument being the mode, with the mode if none is given"""

USUAL_NAMES = {
    "np": "numpy",
    "pd": "pandas",
    "pl": "polars",
    "plt": "matplotlib.pyplot",
    "sns": "seaborn",
    "sp": "subprocess",
    "mp": "multiprocessing",
    "Path": "pathlib.Path",
    "rmtree": "shutil.rmtree",
    "urlopen": "urllib.request.urlopen",
    "urlretrieve": "urllib.request.urlretrieve",
    "Popen": "subprocess.Popen",
}
"""What a name usually stands for if the code does not say, because another cell does."""

# What makes it worth parsing code, for each effect, besides the names in the tables: patterns.
_MAGIC = r"^[ \t]*[!%]|=[ \t]*(?:!(?!=)|%\w)|get_ipython|pip |conda "
_COMMANDS = f"{_MAGIC}|system|subprocess|[pP]open|spawn"
_HINTS = {
    DELETES: _COMMANDS,
    WRITES: f"{_COMMANDS}|open|save|write|extract|Path|File|Dataset|HDFStore|inplace|Config",
    PROCESSES: _COMMANDS,
    NETWORK: f"{_COMMANDS}|://|fetch_|download",
    CODE: f"{_MAGIC}|eval|exec|compile|import_",
}


@cache
def _hints(effect: str) -> re.Pattern[str]:
    words = {name.rpartition(".")[2] for name in FUNCTIONS[effect]}
    words |= {name for name, what in METHODS.items() if what == effect}
    if effect == NETWORK:
        words |= {module.rpartition(".")[2] for module in MODULES}
    # Also in the middle of a word, such as an alias: it costs little to look in vain.
    return re.compile("|".join([_HINTS[effect], *sorted(words)]), re.MULTILINE)


def may_have(effect: str, code: str) -> bool:
    """Say whether `code` has a word without which it does not have the effect."""
    return bool(_hints(effect).search(code))


def in_network_module(name: str) -> bool:
    """Say whether a function, by its full name, is in a module that uses the network."""
    parts = name.split(".")
    modules = (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    return any(module in MODULES for module in modules) and not _NO_NETWORK.match(name)


# Where a command begins. Quoted text is removed before.
_COMMAND = r"(?:^|[;&|(`\n]|\b(?:sudo|xargs|nohup|time|exec|then|do)\s)\s*"
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_SHELL = {
    DELETES: re.compile(rf"{_COMMAND}(?:rm|rmdir|unlink|shred|del)\s|\s-delete\b"),
    WRITES: re.compile(
        rf"{_COMMAND}(?:mv|cp|tee|touch|dd|truncate|unzip|ln|sed\s+-\w*i|tar\s+-?\w*[xc]\w*)\b"
        r"|(?<![-=<>&])>>?\s*(?![&>=\s]|/dev/)"
    ),
    NETWORK: re.compile(
        rf"{_COMMAND}(?:(?:python[\d.]*|uv)\s+(?:-m\s+)?)?(?:pip[\d.]*|conda|mamba|poetry|npm|yarn)"
        r"\s+(?!list|show|freeze|check|-|config|help|env)"
        rf"|{_COMMAND}(?:curl|wget|ssh|scp|sftp|rsync|ping|nc|apt|apt-get|brew|gsutil|aws|gcloud"
        r"|kaggle|gdown|git\s+(?:clone|pull|push|fetch)|docker\s+(?:pull|push)|uv\s+(?:add|sync))\b"
    ),
}


def shell_effects(commands: str) -> set[str]:
    """Return what a shell would do, besides starting a process for each command."""
    bare = _QUOTED.sub("''", commands[:20_000])
    return {effect for effect, pattern in _SHELL.items() if pattern.search(bare)}
