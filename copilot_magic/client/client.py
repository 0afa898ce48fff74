"""The HTTP client: posts a prompt, and yields what is answered the moment its bytes arrive."""

from __future__ import annotations

import base64
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from ..errors import (
    BadRequestError,
    ConnectError,
    ConnectTimeoutError,
    CopilotError,
    CutError,
    EmptyAnswerError,
    FirstTokenTimeoutError,
    IdleTimeoutError,
    MalformedAnswerError,
    NameResolutionError,
    NotFoundError,
    PromptError,
    ProxyError,
    RefusedError,
    StatusError,
    TLSError,
    UsageError,
)
from ..settings import Settings, is_loopback
from ..text import one_line
from ..wire.chunks import (
    ChunkReader,
    Delta,
    Waiting,
    again,
    as_strict,
    failure_message,
    html_title,
    is_spent,
    needs_model,
    refuses_fields,
    reported_error,
    retry_after,
    status_error,
)
from ..wire.sse import MAX_EVENT_BYTES, Decoder, Event

if TYPE_CHECKING:
    import requests

__all__ = ["ChatClient", "shown"]

# 500 is not among them: gpt4free answers it to whatever will fail again, such as a missing login.
_TRY_AGAIN = frozenset({408, 429, 502, 503, 504})
_LONGEST_WAIT = 60.0
# Once the answer is whole, only `[DONE]`, the usage and the like can follow.
_AFTER_THE_END = 5.0
_LIST_TIMEOUT = 10.0
_REDIRECTS = 3
_READ_BYTES = 64 * 1024
_MAX_FAILURE_BYTES = 64 * 1024

_CHECK = "Check the address step by step: `%copilot doctor`"


def shown(url: str) -> str:
    """Return `url` without the parts that may be secret: user, password and query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class ChatClient:
    """Talk to one chat-completions server; several threads may do so at once.

    Each prompt has a connection of its own, which ends with it: a server stops generating when
    the client goes away, and no prompt meets a connection that went stale since the last one.

    Args:
        settings: Where and how to ask; by default what the environment says.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings = settings or Settings.from_environment()
        for name in ("connect_timeout", "first_token_timeout", "idle_timeout"):
            if not getattr(settings, name) > 0:
                raise UsageError(
                    f"{name} must be more than 0 seconds", f"`%config CopilotMagics.{name} = 60`"
                )
        self._calls: set[_Call] = set()
        # What this server turned out to need.
        self._strict = False
        self._model = ""

    @property
    def settings(self) -> Settings:
        """Return where and how this client asks."""
        return self._settings

    def stream(self, body: Mapping[str, Any]) -> Generator[Delta | Waiting, None, None]:
        """Post `body` and yield the answer as it arrives.

        Closing the generator, at whatever point, closes the connection at once.

        Args:
            body: The request, as from `protocol.request_body`.

        Yields:
            What each event adds, and before each wait for another try an announcement of it. There
            are tries only where nothing was received and the status says that another may help.

        Raises:
            PromptError: There was no answer, or not all of it; what arrived was yielded before.
            UsageError: The settings do not allow to ask.
        """
        tries = 0
        with _Call(self._calls) as call:
            while True:
                sent = self._adapted(body)
                try:
                    yield from self._answer(call, sent)
                    return
                except StatusError as error:
                    if self._learns(error, sent):
                        continue
                    wait = _wait_before_retry(error, tries)
                    if wait is None or tries >= self._settings.retries:
                        raise
                    reason = error.message
                tries += 1
                yield Waiting(wait, reason)
                call.sleep(wait)

    def models(self) -> list[str]:
        """Return the names of the models that the server offers.

        Raises:
            PromptError: The server was not reached, or did not name them.
        """
        return _names(self._get("/models"))

    def providers(self) -> list[str]:
        """Return the names of gpt4free's providers; other servers have none.

        Raises:
            PromptError: The server was not reached.
        """
        try:
            return _names(self._get("/providers"))
        except (NotFoundError, BadRequestError, MalformedAnswerError):
            return []

    def close(self) -> None:
        """End each answer that is under way, in whichever thread; the client can be used again."""
        for call in list(self._calls):
            call.stop()

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown(self._settings.base_url)!r})"

    # What this server turns out to need

    def _adapted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        adapted = as_strict(body) if self._strict else dict(body)
        if self._model and not body.get("model"):
            adapted["model"] = self._model
        return adapted

    def _learns(self, error: StatusError, sent: Mapping[str, Any]) -> bool:
        """Learn from a refusal what the server needs; say whether to ask again with that."""
        if refuses_fields(error.status, error.message) and as_strict(sent) != sent:
            self._strict = True
            return True
        if needs_model(error.status, error.message) and not sent.get("model"):
            self._model = self._model or self._model_after(error)
            return True
        return False

    def _model_after(self, refusal: StatusError) -> str:
        """Return the model to use where none was named: the only one, or this machine's first."""
        try:
            names = self.models()
        except PromptError:
            names = []
        if not names:
            raise refusal
        if len(names) == 1 or is_loopback(self._settings.base_url):
            return names[0]
        some = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        raise BadRequestError(
            f"The server wants to be told which model; it has {some}",
            f"`%config CopilotMagics.model = {names[0]!r}`",
            status=refusal.status,
        )

    # One request and its answer

    def _answer(self, call: _Call, body: dict[str, Any]) -> Generator[Delta, None, None]:
        settings = self._settings
        provider = body.get("provider") or ""
        progress = _Progress(settings)
        with closing(self._send(call, "/chat/completions", body)) as response:
            reader = ChunkReader(call.redact)
            failure: PromptError | None = None
            try:
                for event in _events(call, response, progress):
                    delta = reader.read(event.data, event.event)
                    if delta is not None:
                        if delta.error is not None:
                            said = call.redact(delta.error)
                            failure = reported_error(said, provider=provider, begun=progress.begun)
                            delta = delta._replace(error=None)
                        progress.note(delta)
                        yield delta
                    if failure or reader.done:
                        break
            except MalformedAnswerError as error:
                # Half an event at the end only shows that the stream was cut.
                if progress.broken is None and not (progress.over and not progress.whole):
                    failure = error
            rest = reader.finish()
            if rest is not None:
                progress.note(rest)
                yield rest
            failure = failure or progress.verdict(reader.done)
            if failure is not None:
                raise failure

    def _get(self, path: str) -> Any:
        """Return the JSON that the server answers to a GET."""
        with _Call(self._calls) as call:
            try:
                with closing(self._send(call, path)) as response:
                    return json.loads(_body(call, response, _LIST_TIMEOUT, MAX_EVENT_BYTES))
            except FirstTokenTimeoutError:
                raise FirstTokenTimeoutError(
                    f"The server did not answer {path} within {_LIST_TIMEOUT:g} seconds", _CHECK
                ) from None
            except (ValueError, RecursionError):
                raise MalformedAnswerError(
                    f"The server answered {path} with something else than JSON", _CHECK
                ) from None

    def _send(
        self, call: _Call, path: str, body: Mapping[str, Any] | None = None
    ) -> requests.Response:
        """Send a request, a POST where there is a `body`; return the response to read from."""
        settings = self._settings
        url = _endpoint(settings.base_url, path)
        authorization = self._authorization(call, url)
        headers = {
            "Accept": "text/event-stream, application/json",
            # What is compressed on the way is held back on the way.
            "Accept-Encoding": "identity",
        }
        if authorization:
            headers["Authorization"] = authorization
        for _ in range(_REDIRECTS + 1):
            response = call.send(url, headers, body, settings)
            target = urljoin(url, response.headers.get("Location", ""))
            # Other redirects turn a POST into a GET, or hand the key and the prompt to a stranger.
            if response.status_code not in (307, 308) or _origin(target) != _origin(url):
                break
            response.close()
            url = target
        if 200 <= response.status_code < 300:
            return response
        with closing(response):
            raise self._failure(call, response, target, body or {})

    def _failure(
        self, call: _Call, response: requests.Response, target: str, body: Mapping[str, Any]
    ) -> StatusError:
        """Return the typed error for a response that is no success."""
        settings, status = self._settings, response.status_code
        if 300 <= status < 400 and "Location" in response.headers:
            where = call.redact(shown(target))
            return StatusError(
                f"The server answered {status}: it sends on to {where}",
                "If that is the right server, put its address into base_url",
                status=status,
            )
        content = _body(call, response, _AFTER_THE_END, _MAX_FAILURE_BYTES)
        error = status_error(
            status,
            call.redact(failure_message(content)),
            base_url=shown(settings.base_url),
            provider=body.get("provider") or "",
            with_key=bool(call.secrets),
            wait=retry_after(response.headers),
        )
        if status == 407:
            raise ProxyError(error.message, "Put the proxy's user and password into its URL")
        return error

    def _authorization(self, call: _Call, url: str) -> str:
        """Return the header's value for `url`, or an empty one; `call` keeps it out of messages.

        Raises:
            UsageError: The key cannot be sent, or must not be sent there.
        """
        settings = self._settings
        parts = urlsplit(settings.base_url.strip())
        key = settings.api_key()
        if key:
            if not key.isascii() or not key.isprintable() or key != key.strip():
                raise UsageError(
                    "The API key has characters that no key has, such as a space or a line end",
                    "Set COPILOT_API_KEY to the key alone",
                )
            call.secrets.append(key)
            value = f"Bearer {key}"
        elif parts.username or parts.password:
            user, password = unquote(parts.username or ""), unquote(parts.password or "")
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            call.secrets += [token, password]
            value = f"Basic {token}"
        else:
            return ""
        safe = url.startswith("https:") or is_loopback(url)
        if not safe and not settings.allow_plain_http:
            raise UsageError(
                f"The API key would go to {parts.hostname} unencrypted, so nothing was sent",
                "Use https:// in base_url, or `%config CopilotMagics.allow_plain_http = True`",
            )
        return value


_STOPPED = "The prompt was stopped"
_CUT = "The connection broke before the end of the answer"


class _Call:
    """Hold the connection that a prompt uses, and let another thread end it.

    Attributes:
        secrets: What must appear in no message.
    """

    def __init__(self, calls: set[_Call]) -> None:
        self.secrets: list[str] = []
        self._calls = calls
        self._stopped = threading.Event()
        self._socket: socket.socket | None = None

    def __enter__(self) -> _Call:
        self._calls.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._calls.discard(self)

    @property
    def stopped(self) -> bool:
        """Say whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """End the call: what waits for it ends as if the server had closed the connection."""
        self._stopped.set()
        if self._socket is not None:
            # The method of an SSL socket would pull the encryption from under the reader.
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def sleep(self, seconds: float) -> None:
        """Wait, unless the call is stopped."""
        if self._stopped.wait(seconds):
            raise CutError(_STOPPED)

    def redact(self, text: str) -> str:
        """Return `text` without the secrets; a server may repeat the key that it refuses."""
        for secret in self.secrets:
            # Shorter ones are no secrets: "x" is what one types where any key will do.
            if len(secret) > 3:
                text = text.replace(secret, "[key]")
        return text

    def send(
        self,
        url: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None,
        settings: Settings,
    ) -> requests.Response:
        """Send one request and return its response, of which only the headers were read."""
        import requests
        from urllib3.exceptions import HTTPError

        loopback = is_loopback(url)
        proxy = "" if loopback else _proxy_for(url)
        if not loopback and not proxy:
            _resolve(url, settings.connect_timeout)
        answer_timeout = _LIST_TIMEOUT if body is None else settings.first_token_timeout
        with requests.Session() as session:
            adapter = _adapter(self._connected, answer_timeout)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            try:
                return session.request(
                    "GET" if body is None else "POST",
                    url,
                    data=None if body is None else json.dumps(body).encode(),
                    headers={**headers, "Content-Type": "application/json"},
                    # Without this, requests would look for a password in ~/.netrc.
                    auth=lambda request: request,
                    # The hosts that no proxy of the environment is used for.
                    proxies={"no_proxy": urlsplit(url).hostname or ""} if loopback else {},
                    timeout=(settings.connect_timeout, answer_timeout),
                    stream=True,
                    allow_redirects=False,
                )
            except (OSError, HTTPError) as error:
                # "from None", since the error's text may hold the query of the URL.
                if self.stopped:
                    raise CutError(_STOPPED) from None
                raise _unreached(error, url, proxy, settings) from None

    def pieces(self, response: requests.Response, left: Callable[[], float]) -> Iterator[bytes]:
        """Yield the body as it arrives.

        Args:
            left: Returns the seconds that the next piece may take, more than 0.

        Raises:
            TimeoutError: It took longer.
            ConnectionError: The connection broke; with a few words on how.
        """
        from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

        # `read1` alone hands over what has arrived, whichever way the body is framed.
        read, connection = response.raw.read1, self._socket
        assert connection is not None
        # What is not compressed need not pass through the buffers of what is.
        compressed = "Content-Encoding" in response.headers
        timeout = 0.0
        while True:
            seconds = left()
            # Setting it costs a system call, too much for each token.
            if not seconds <= timeout <= 1.01 * seconds:
                timeout = seconds
                connection.settimeout(timeout)
            try:
                data = read(_READ_BYTES, decode_content=compressed)
            except ReadTimeoutError:
                raise TimeoutError from None
            except DecodeError:
                raise ConnectionError("The server compressed its answer wrongly") from None
            except (HTTPError, OSError):
                raise ConnectionError(_CUT) from None
            if not data:
                return
            yield data

    def _connected(self, connection: socket.socket) -> None:
        self._socket = connection
        if self.stopped:
            self.stop()


class _Progress:
    """Follow how far an answer has come, and how long its next piece may take.

    Attributes:
        begun: A token arrived, be it of the answer or of its reasoning.
        answered: Some of the answer arrived that is not white space.
        finish_reason: Why the answer ended, as the server said.
        over: The body has ended, one way or another.
        whole: The body was no stream but one piece of JSON.
        broken: Why the body could not be read to its end.
    """

    def __init__(self, settings: Settings) -> None:
        self.begun = self.answered = self.over = self.whole = False
        self.finish_reason: str | None = None
        self.broken: PromptError | None = None
        self._settings = settings
        self._patience = settings.idle_timeout
        self._fresh = False
        self._deadline = time.monotonic() + settings.first_token_timeout

    def note(self, delta: Delta) -> None:
        """Take in what one event adds."""
        if delta.content or delta.reasoning:
            self.begun = self._fresh = True
            if not self.answered:
                self.answered = bool(delta.content.strip())
        if delta.finish_reason:
            self.finish_reason = delta.finish_reason
            self._fresh = True
            self._patience = min(self._patience, _AFTER_THE_END)

    def left(self) -> float:
        """Return the seconds that the next piece may take.

        They count from the first look out for it after a token, so that a slow consumer does not
        use them up; a keep-alive does not renew them.
        """
        now = time.monotonic()
        if self._fresh:
            self._fresh = False
            self._deadline = now + self._patience
            return self._patience
        return max(self._deadline - now, 0.001)

    def silence(self) -> PromptError:
        """Return the error for a deadline that has passed."""
        if self.begun:
            return IdleTimeoutError(
                f"The answer stopped for {self._settings.idle_timeout:g} seconds", again(True)
            )
        return _no_token(self._settings.first_token_timeout)

    def verdict(self, done: bool) -> PromptError | None:
        """Return the error for an answer that is not whole.

        Args:
            done: The server said ``[DONE]``.
        """
        whole = self.whole and (self.answered or self.broken is None)
        if not (done or whole or self.finish_reason is not None):
            return self.broken or CutError(_CUT, again(self.begun))
        if self.answered:
            return None
        if self.whole and self.finish_reason is None:
            return _no_completion("JSON of another kind")
        why = f" ({self.finish_reason})" if self.finish_reason not in (None, "stop") else ""
        return EmptyAnswerError(
            f"The answer was empty{why}",
            "Ask again, `%copilot retry`, or another model or provider",
        )


def _events(call: _Call, response: requests.Response, progress: _Progress) -> Iterator[Event]:
    """Yield the events of the answer; a body that is one piece of JSON is one event.

    Raises:
        MalformedAnswerError: The body is neither.
    """
    decoder = Decoder()
    head = b""
    count = 0
    whole: bytearray | None = None
    try:
        for data in call.pieces(response, progress.left):
            if whole is not None:
                whole += data
                if len(whole) > MAX_EVENT_BYTES:
                    raise _no_completion("more than anyone asked for")
                continue
            if not head:
                head = data.lstrip()[:200]
                if head[:1] in (b"{", b"[", b"<"):
                    progress.whole = True
                    whole = bytearray(data)
                    continue
            for event in decoder.feed(data):
                count += 1
                yield event
    except TimeoutError:
        progress.broken = progress.silence()
    except ConnectionError as error:
        why = _STOPPED if call.stopped else str(error)
        progress.broken = CutError(why, again(progress.begun))
    progress.over = True
    if whole is not None:
        text = whole.decode("utf-8", "replace")
        if head[:1] == b"<":
            title = one_line(call.redact(html_title(text)), 80)
            raise _no_completion(f"an HTML page: {title}")
        yield Event(text)
        return
    for event in decoder.finish():
        count += 1
        yield event
    kind = response.headers.get("Content-Type", "")
    if head and not count and not kind.startswith("text/event-stream"):
        text = call.redact(head.decode("utf-8", "replace"))
        progress.broken = _no_completion(f"this text: {one_line(text, 80)}")


def _body(call: _Call, response: requests.Response, seconds: float, limit: int) -> bytes:
    """Return as much of the body as comes in time and is not beyond `limit`."""
    deadline = time.monotonic() + seconds
    body = bytearray()
    with suppress(OSError):
        for data in call.pieces(response, lambda: max(deadline - time.monotonic(), 0.001)):
            body += data
            if len(body) > limit:
                break
    return bytes(body[:limit])


def _adapter(connected: Callable[[Any], None], send_timeout: float) -> Any:
    """Return a requests adapter that hands over the socket of each connection it makes.

    The socket's timeout has to change while an answer is read, and requests offers no way.
    """
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
            pool: Any = super().get_connection_with_tls_context(*args, **options)
            base: Any = pool.ConnectionCls

            class Connection(base):  # type: ignore[misc]
                def connect(self) -> None:
                    super().connect()
                    # urllib3 leaves the timeout for connecting in place while a body, which may
                    # hold pictures, is sent.
                    self.sock.settimeout(send_timeout)
                    connected(self.sock)

            pool.ConnectionCls = Connection
            return pool

    return Adapter()


def _endpoint(base_url: str, path: str) -> str:
    """Return the URL of `path` below `base_url`, without user and password.

    Raises:
        UsageError: The address cannot be one.
    """
    hint = '`%config CopilotMagics.base_url = "http://localhost:1337/v1"`, for example'
    base_url = base_url.strip()
    # Where a host ends at a backslash is a matter of opinion, and the key depends on the host.
    if "\\" in base_url or " " in base_url or not base_url.isprintable():
        raise UsageError("base_url has characters that no address has", hint)
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"base_url is no address: {error}", hint) from None
    if parts.scheme not in ("http", "https"):
        raise UsageError(f"base_url must begin with http:// or https://: {base_url!r}", hint)
    if not host or port == 0:
        raise UsageError(f"base_url names no host: {shown(base_url)!r}", hint)
    root = parts.path.rstrip("/").removesuffix("/chat/completions")
    netloc = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, netloc, root + path, parts.query, ""))


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _proxy_for(url: str) -> str:
    """Return the environment's proxy for `url` as it may be shown, or an empty string."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    return shown(proxy) if proxy else ""


def _resolve(url: str, timeout: float) -> None:
    """Look the host's name up, since a lookup within `connect` knows no timeout and no interrupt.

    Raises:
        NameResolutionError: There is no such name.
        ConnectTimeoutError: The lookup takes too long.
    """
    host = urlsplit(url).hostname or ""
    found: list[bool] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found.append(True)
        except (OSError, UnicodeError):
            found.append(False)
        done.set()

    threading.Thread(target=look_up, name="copilot-name-lookup", daemon=True).start()
    if not done.wait(timeout):
        raise ConnectTimeoutError(
            f"Looking up the name {host} took longer than {timeout:g} seconds",
            "Check the network, and the name in base_url",
        )
    if not found[0]:
        raise _unknown_name(host)


def _unknown_name(host: str) -> NameResolutionError:
    return NameResolutionError(
        f"There is no host named {host}", "Check the network, and the name in base_url"
    )


def _no_token(seconds: float) -> FirstTokenTimeoutError:
    return FirstTokenTimeoutError(
        f"No answer began within {seconds:g} seconds",
        "Does the server wait for a login in its browser? More patience: "
        f"`%config CopilotMagics.first_token_timeout = {2 * seconds:g}`",
    )


def _no_completion(what: str) -> MalformedAnswerError:
    return MalformedAnswerError(f"The server answered, but with {what}", _CHECK)


def _unreached(error: Exception, url: str, proxy: str, settings: Settings) -> CopilotError:
    """Return the typed error for a request that brought no response."""
    import http.client

    from requests import exceptions as failed
    from urllib3 import exceptions as urllib3

    causes = list(_causes(error))

    def caused_by(*kinds: type[Exception]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    where = shown(settings.base_url)
    host = urlsplit(url).hostname or ""
    unusable = (failed.InvalidURL, failed.InvalidSchema, urllib3.LocationValueError)
    why = one_line(_reason(causes), 120)
    if isinstance(error, failed.ProxyError) or (proxy and isinstance(error, unusable)):
        return ProxyError(
            f"The proxy {proxy} failed: {why}",
            "Check HTTPS_PROXY and HTTP_PROXY; NO_PROXY names hosts that need none",
        )
    if isinstance(error, unusable):
        return UsageError(f"base_url cannot be used: {where}", _CHECK)
    # A plain OSError is how requests says that there is no such file of certificates.
    if isinstance(error, failed.SSLError) or type(error) is OSError:
        hint = "For a certificate of your own: REQUESTS_CA_BUNDLE=/path/to/certificates.pem"
        if "WRONG_VERSION_NUMBER" in why or "RECORD_LAYER" in why:
            hint = "The server seems not to encrypt: use http:// in base_url"
        return TLSError(f"No encrypted connection to {where}: {why}", hint)
    if caused_by(urllib3.NameResolutionError):
        return _unknown_name(host)
    if isinstance(error, failed.ConnectTimeout):
        return ConnectTimeoutError(
            f"No connection to {where} within {settings.connect_timeout:g} seconds",
            "Check the address, the network and the firewall: `%copilot doctor`",
        )
    if isinstance(error, failed.ReadTimeout) or caused_by(TimeoutError):
        return _no_token(settings.first_token_timeout)
    if caused_by(ConnectionRefusedError):
        return RefusedError(f"Nobody answers at {where}", _ways_out(settings.base_url))
    if caused_by(http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
        return CutError("The server closed the connection without an answer", again(False))
    if caused_by(http.client.HTTPException):
        return _no_completion("something that is not HTTP")
    return ConnectError(f"No connection to {where}: {why}", _CHECK)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield `error` and what libraries have wrapped in it, the innermost last."""
    seen: list[BaseException] = []
    left: list[object] = [error]
    while left:
        found = left.pop(0)
        if isinstance(found, BaseException) and found not in seen:
            seen.append(found)
            yield found
            left += [
                *found.args,
                getattr(found, "reason", None),
                found.__cause__,
            ]


def _reason(causes: list[BaseException]) -> str:
    """Return the operating system's, or OpenSSL's, own words for a failure."""
    for cause in reversed(causes):
        words = getattr(cause, "verify_message", "") or getattr(cause, "strerror", "")
        if words:
            return str(words)
    return str(causes[-1])


def _ways_out(base_url: str) -> str:
    elsewhere = 'name yours: `%config CopilotMagics.base_url = "http://…/v1"`'
    if not is_loopback(base_url):
        return f"Start that server, or {elsewhere}"
    return (
        "Start a server: `%copilot serve`, a small model on this machine; or gpt4free, "
        f'`pip install "g4f[api]"` and `g4f api --no-gui --port 1337`; or {elsewhere}'
    )


def _names(listed: Any) -> list[str]:
    """Return the names in a list of models or of providers, whichever way it is written."""
    if isinstance(listed, dict):
        listed = listed.get("data") or listed.get("models")
    names = []
    for item in listed if isinstance(listed, list) else []:
        # gpt4free puts its providers among the models, too.
        if isinstance(item, dict) and item.get("provider") is not True:
            item = item.get("id") or item.get("name")
        if isinstance(item, str) and item:
            names.append(one_line(item))
    return names


def _wait_before_retry(error: StatusError, tries: int) -> float | None:
    """Return the seconds to wait before asking again, or None where that would not help."""
    if error.status not in _TRY_AGAIN or is_spent(error.message):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= _LONGEST_WAIT else None
    # Clients that were refused at one moment must not all come back at one moment.
    return random.uniform(0.5, 1.0) * min(2.0**tries, _LONGEST_WAIT)
