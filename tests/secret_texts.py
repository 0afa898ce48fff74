"""Texts of data people: harmless ones that must stay, and ones with a secret that must vanish."""

from __future__ import annotations

import base64
import random

__all__ = ["HARMLESS", "WITH_SECRETS"]

_PICTURE = base64.b64encode(random.Random(1).randbytes(300)).decode()
_LINES = "\n".join(_PICTURE[at : at + 64] for at in range(0, len(_PICTURE), 64))

HARMLESS = [
    # Tables, arrays, and what is printed of them.
    "   order_id customer_name   price\n0      1001        Alice   12.50\n1      1002     "
    "     Bob    7.00",
    "RangeIndex: 1000000 entries, 0 to 999999\nData columns (total 5 columns):\n #   Colum"
    "n  Dtype\n"
    " 0   token   object\n 1   sort_key  int64\n 2   password_hash_present  bool",
    "df: DataFrame, 1,000 rows × 4 columns: token (object), key (int64), secret_level (float64)",
    "shape: (3, 2)\n┌─────┬───────┐\n│ key ┆ token │\n│ str ┆ i64   │\n└─────┴───────┘",
    "{'token': 'running', 'key': 'price', 'tokens': 512, 'max_tokens': 4096}",
    "array([[0.12345678901234567890, 1e-300], [nan, inf]])",
    "Schema({'password': String, 'token': Int64, 'api_key': Utf8})",
    '{"password": int64, "credentials": float64, "secret": datetime64[ns]}',
    "columns = ['user', 'password', 'email', 'created_at', 'api_key', 'access_token', 'las"
    "t_login']",
    "customer_lifetime_value_per_region_and_quarter_2024 = 3",
    "Index(['GDP_per_capita_USD_2015_constant', 'Population_Total_2020_Estimate'], dtype='object')",
    # Source.
    'sort_key = "customer_name"\nprimary_key = "order_id"',
    'df.sort_values(key="price").merge(other, key="name")',
    'token = tokenizer(text)\ntokens = tokenizer.encode("Hello world", add_special_tokens=True)',
    "password = getpass()",
    'password = getpass.getpass("Password for the database: ")',
    'user, pw = input("User: "), getpass("Password: ")',
    'print("Password: " + prompt + " is needed")',
    'api_key = os.environ["API_KEY"]',
    'client = OpenAI(api_key=os.environ.get("OPENAI_API_KEY"))',
    'token = userdata.get("HF_TOKEN")',
    "client = Client(api_key=settings.openai_api_key, token=token2)",
    'api_key = os.getenv("API_KEY", "default")',
    "def login(user: str, password: str, token: str | None = None) -> bool:",
    "api_key: Optional[str] = None\npassword: SecretStr\ncredentials: Credentials2",
    "secret_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)",
    "password = df['password'].str.lower()",
    'headers = {"Authorization": f"Bearer {token}"}',
    'curl -H "Authorization: Bearer $API_TOKEN" https://api.example.org/v1/items',
    "export API_KEY=${API_KEY:-none}\nexport TOKEN=$(cat /run/secrets/token)",
    'parser.add_argument("--password", help="password of the database")',
    "usage: tool [--api-key KEY] [--token TOKEN] [--password PASSWORD]",
    'if text.startswith("-----BEGIN PRIVATE KEY-----") and "-----END PRIVATE KEY-----" in text:',
    "@dataclass\nclass Settings:\n    password: str = field(repr=False)\n    token_count: int = 0",
    "Config(password=SecretStr('**********'), api_key='****')",
    'pad_token="<pad>", eos_token="</s>", bos_token="<|begin_of_text|>", mask_token="[MASK]"',
    'api_key = "your-api-key-here"  # or "<YOUR_KEY>"',
    'api_key = "YOUR_API_KEY"\ntoken = "..."',
    "model = AutoModelForSequenceClassification.from_pretrained('distilbert-base-uncased')",
    "x = Conv2DTranspose3x3BatchNormV2(filters=64)(MaxPooling2DLayer4x4Stride2(x))",
    "!function(e,t){var n=e.a1B,r=t.c2D;e=n+r*2-t/3;return n<r?e:t}(window,document);",
    "const AbstractSingletonProxyFactoryBean2 = getHTMLElementByXPath3Async",
    "from sklearn.linear_model import LogisticRegression\nmodel.fit(X_train, y_train)",
    '<div class="sk-top-container"><div class="sk-estimator-doc-link fitted sk-container-id-1">',
    "%load_ext autoreload\n%autoreload 2\n!pip install --upgrade pandas==2.2.3 numpy",
    # Tracebacks, logs.
    'Traceback (most recent call last):\n  File "/home/ana/Projects2024/Model7/train_v2.py'
    '", line 17,'
    " in <module>\n    main()\nKeyError: 'customer_name'",
    "KeyError: 'password'",
    "AttributeError: 'NoneType' object has no attribute 'access_token'",
    "ValueError: invalid literal for int() with base 10: 'abc'  at 0x7f8b1c2d3e4f5a6b",
    "frame #1: _ZN5torch8autograd13VariableHooks20base_variableERKN2at6TensorE + 0x57 (0x7f1)",
    "2024-01-31T12:00:00.000Z INFO token: refresh finished, key: sort, secret: none, password: ok",
    "AuthenticationError: Incorrect API key provided. You can find your API key at the dashboard.",
    "The password must be at least 8 characters long. Your token: see the settings.",
    'messages = {"password": "Please enter your password", "token": "Invalid token"}',
    '{"type": "object", "properties": {"password": {"type": "string"}, "api_key": {"type":'
    ' "string"}}}',
    # Paths and addresses.
    "/usr/local/lib/python3.11/site-packages/numpy/core/_multiarray_umath.cpython-311-x86_"
    "64-linux-gnu.so",
    "C:\\Users\\Ana\\AppData\\Local\\Programs\\Python\\Python311\\Lib\\site-packages\\IPyt"
    "hon\\core",
    "http://localhost:8888/lab/tree/Untitled1.ipynb?reset",
    "http://localhost:8888/lab?token=...",
    "https://colab.research.google.com/drive/1A2b3C4d5E6f7G8h9I0jKlMnOpQrStUvW",
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ and https://doi.org/10.1038/s41586-020-2649-2",
    "https://github.com/pandas-dev/pandas/blob/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b/RE"
    "ADME.md#L12",
    "s3://my-bucket/data/year=2024/month=01/part-00000-3fa85f64-5717-4562-b3fc-2c963f66afa"
    "6-c000.parquet",
    "postgresql://localhost:5432/warehouse and https://user@example.org/path",
    "postgresql://{user}:{password}@{host}/db, mysql://user:<password>@host, x://u:${PASS}@h",
    "git@github.com:pandas-dev/pandas.git ssh://git@example.org:22/repo",
    # Hashes, ids, versions.
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b\nAuthor: Ana",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "numpy==2.1.0 --hash=sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "numpy/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,22652",
    '"integrity": "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwv'
    'Y7kxvUdBeoGlODJ6+SfaPg=="',
    "id 3fa85f64-5717-4562-b3fc-2c963f66afa6, Task-3FA85F64-5717-4562-B3FC-2C963F66AFA6",
    "chatcmpl-9aBcD3fGh1JkLmN0pQrStUvWxYz12 by gpt-4o-2024-08-06, file-aB3dE5fG7hI9jK1lM3nO5pQ7",
    "01ARZ3NDEKTSV4RRFFQ69G5FAV 507f1f77bcf86cd799439011 run_20240101T120000Z_modelA_fold3",
    "torch-2.5.1+cu124-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "TheBloke/Mistral-7B-Instruct-v0.2-GGUF Qwen2.5-Coder-7B-Instruct-Q4_K_M.gguf all-MiniLM-L6-v2",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7vbqajDhA9Xx3 ana@laptop",
    "3.14159265358979323846264338327950288419716939937510 and 1234567890123456789012345678"
    "901234567890",
    "ACGTACGTTAGCCGATCGATTACGATCGATCGGGCTATATCGCGATATCGAATTCCGG",
    ">sp|P69905|HBA_HUMAN MVLSPADKTNVKAAWGKVGAHAGEYGAEALERMFLSFPTTKTYFPHFDLSHGSAQVKGHGKK",
    "InChI=1S/C21H30O2/c1-5-6-7-8-15-12-18(22)20-16-11-14(2)9-10-17(16)21(3,4)23-19(20)13-"
    "15/h11-13",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O and rnbqkbnr/pp1ppppp/8/2p5/4P3/5N2/PPPP1PPP/RNBQKB1R b KQkq - 1 2",
    "DE89 3704 0044 0532 0130 00, 978-3-16-148410-0, +49 30 901820, 2024-W05-3, Q3/2024",
    # Encoded data.
    f"![plot](data:image/png;base64,{_PICTURE})",
    f'{{"image/png": "{_PICTURE}"}}',
    f'{{"dtype": "f8", "bdata": "{_PICTURE[:120]}"}}',
    f"-----BEGIN CERTIFICATE-----\n{_LINES}\n-----END CERTIFICATE-----",
    # Formulas, prose, other languages.
    r"$$\frac{\partial^2 u}{\partial x^2} = \sum_{k=1}^{N} X_{k}Y_{k+1}Z_{k+2}\mathbb{E}[X_"
    r"1X_2X_3]$$",
    r"\begin{align} key &= \alpha_{1}\beta_{2} \\ token &= \Gamma^{3} \end{align}",
    "请把客户表按订单号合并,然后计算每个地区的平均价格。密码:必须至少8个字符",
    "password: 必须至少8个字符",
    "Schlüssel: Größenänderungsverordnung2024; Passwörter sind geheim",
    "Пароль: должен быть длиннее восьми знаков",
    "What is a token? A key: the secret to sorting. The secret: practice, practice, practice.",
    "The keyword arguments are `key=` and `token=`; the tokenizer's tokens are 17 of max_t"
    "okens=100",
    "{{ config.password }} {% if token %} {x} {{df}} ${HOME} %PATH% $USER",
    "Q: is p@ssword a good name? a:b@c",
    "",
]

_BASE62 = "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"
_AWS = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
_PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{_LINES}\n-----END RSA PRIVATE KEY-----"
_JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
)

# The text, and what of it must not be left.
WITH_SECRETS = [
    # Known forms.
    ("key sk-abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKL!", "sk-abcdefghijklmnopqrstuvwxyz"),
    (f"sk-proj-{_BASE62}_{_BASE62}", _BASE62),
    ("sk-7f3a9c2e5b8d1f4a6c0e9b3d7f2a5c8e (DeepSeek)", "sk-7f3a9c2e5b8d1f4a6c0e9b3d7f2a5c8e"),
    (f"sk-ant-api03-{_BASE62}", f"sk-ant-api03-{_BASE62}"),
    ("sk-ant-abcdefghijklmnopqrstu", "abcdefghijklmnopqrstu"),
    (f"git clone https://ghp_{_BASE62}@github.com/a/b", f"ghp_{_BASE62}"),
    (f"gho_{_BASE62} ghs_{_BASE62}", _BASE62),
    ("github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz0123456789", "mnopqrstuvwxyz"),
    ("glpat-aB3dE5fG7hI9jK1lM3nO", "aB3dE5fG7hI9jK1lM3nO"),
    ("xoxb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx", "AbCdEfGhIjKlMnOpQrStUvWx"),
    (
        "https://hooks.slack.com/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx",
        "abcdefghijkl",
    ),
    ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    ("ASIAIOSFODNN7EXAMPLE in a list", "ASIAIOSFODNN7EXAMPLE"),
    (f"aws_secret_access_key = {_AWS}", _AWS),
    (f'"SecretAccessKey": "{_AWS}"', _AWS),
    (f"AKIAIOSFODNN7EXAMPLE,{_AWS}", _AWS),
    ("AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY"),
    ("ya29.a0AfH6SMBx-abcdefghijklmnopqrstuv", "a0AfH6SMBx"),
    ("hf_abcdefghijKLMNOPQRSTuvwxyzABCDEFGH", "hf_abcdefghijKLMNOPQRSTuvwxyzABCDEFGH"),
    (f"npm_{_BASE62}", _BASE62),
    (f"pypi-AgEIcHlwaS5vcmc{_BASE62}", _BASE62),
    ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39HqLyjWDarjtT1zdp7dc"),
    ("rk_live_4eC39HqLyjWDarjtT1zdp7dc", "4eC39HqLyjWDarjtT1zdp7dc"),
    ("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", "TwL2iGABf9DHoTf"),
    (f"cookie={_JWT}", _JWT),
    (f"a = '''{_PEM}'''", _LINES[:200]),
    (repr(_PEM), _LINES[:60]),
    (_PEM[:200], _LINES[70:120]),
    (_PEM.replace("RSA ", ""), _LINES[-30:]),
    ("Authorization: Bearer abcdefgh12345", "abcdefgh12345"),
    ('{"Authorization": "Basic dXNlcjpwYXNzd29yZA=="}', "dXNlcjpwYXNzd29yZA=="),
    (f"requests.get(url, headers={{'x': 'Bearer {_BASE62}'}})", _BASE62),
    ("postgresql://ana:hunter22@db.example.org:5432/warehouse", "hunter22"),
    ("redis://:p4ssw0rd!@cache/0", "p4ssw0rd!"),
    ("create_engine('mysql+pymysql://root:correcthorse@localhost/db')", "correcthorse"),
    (
        "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCD"
        "XJ1==",
        "Eby8",
    ),
    ("https://a.blob.core.windows.net/c/b?sv=2022&sig=abcDEF123%2Babcdef%3D", "abcDEF123"),
    ("bot 123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawx", "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawx"),
    (
        "MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWsx",
        "ZnCjm1XVW7vRze4b7Cq4se7kKWsx",
    ),
    ("dapi0123456789abcdef0123456789abcdef", "dapi0123456789abcdef"),
    # Names beside them.
    ('api_key = "abcdefgh"', "abcdefgh"),
    ("API_KEY='abcdefgh'", "abcdefgh"),
    ('{"user": "ana", "password": "hunter22"}', "hunter22"),
    ("{'user': 'ana', 'password': 'hunter22'}", "hunter22"),
    ('{\\"password\\": \\"hunter22\\"}', "hunter22"),
    ('"password" : "12 monkeys \\"quoted\\" here"', "monkeys"),
    ("DB_PASSWORD=hunter22", "hunter22"),
    ("DEBUG=1\nDB_PASSWORD=correcthorse\nPORT=5432", "correcthorse"),
    ("export SECRET_KEY=correcthorse", "correcthorse"),
    ("mysqldump --user ana --password hunter22 db", "hunter22"),
    ("tool --api-key=abc123def456", "abc123def456"),
    ("database:\n  user: ana\n  password: hunter22\n  port: 5432", "hunter22"),
    ("password: 'correct horse'", "correct horse"),
    ("conn = connect(user='ana', password='hunter22', host='db')", "hunter22"),
    ('os.environ["OPENAI_API_KEY"] = "abcdefgh"', "abcdefgh"),
    ("%env API_KEY=correcthorse", "correcthorse"),
    ("self.password: str = 'hunter22'", "hunter22"),
    ("password: Optional[str] = 'hunter22'", "hunter22"),
    ("Config(user='ana', client_secret='hunter22')", "hunter22"),
    ('password = """hunter22"""', "hunter22"),
    ('login("ana", SecretStr("x"), password=SecretStr("hunter22"))', "hunter22"),
    ('if password == "hunter22":', "hunter22"),
    (
        "http://localhost:8888/?token=3f2a9c1b7d4e8f60a5b2c3d4e5f60718293a4b5c6d7e8f90",
        "3f2a9c1b7d4e",
    ),
    (
        "http://localhost:8888/lab?a=1&token=3f2a9c1b7d4e8f60a5b2c3d4&b=2",
        "3f2a9c1b7d4e8f60a5b2c3d4",
    ),
    ("X-Api-Key: abc123def456ghi", "abc123def456ghi"),
    ('token = "x7Kp2mQ9vL4nR8"', "x7Kp2mQ9vL4nR8"),
    ('os.environ.setdefault("API_TOKEN", "x7Kp2mQ9vL4nR8")', "x7Kp2mQ9vL4nR8"),
    ("---> 17 login('ana', password='hunter22')\nLoginError: wrong", "hunter22"),
    # Randomness alone.
    (f"the value {_BASE62} is odd", _BASE62),
    (f"x = '{_BASE62[:24]}'", _BASE62[:24]),
    ("a = 'Zx9-Qw3_rT7yUi1OpAs5DfGh2JkL'", "Qw3_rT7yUi1OpAs5DfGh2JkL"),
    ("k: q8Wm3Zt+Lp0/vR5xNc7yHb2Kd9Sf4Gj1Ae6Uo8Qi=", "q8Wm3Zt+Lp0/vR5xNc7yHb2Kd9Sf4Gj1Ae6Uo8Qi"),
]
