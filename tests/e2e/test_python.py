"""test_python.py - does a Python program get its answers by the module llmclient, whatever happens to them?"""

import asyncio
import base64
import concurrent.futures
import gc
import json
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import answers
import harness
import pytest
import python_module

llmclient = python_module.load()
pytestmark = pytest.mark.skipif(llmclient is None, reason="test_python_module.py runs these with the sanitizer's runtime")

KEY = "sk-test-0123456789abcdef"
MODEL = "test/gpt-test"
ECHO = "offline/echo"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
SOON = 10  # seconds: what takes longer hangs


def configured(provider, **more):
    return (harness.provider_section(provider, "test", base_path="/v1", dialect="openai-chat", **more) +
            harness.section("model", MODEL, {"price_input": "0.15", "price_output": "0.60"}))


@pytest.fixture
def made(broker, provider):
    out = broker(configured(provider))
    out.add_key("test", KEY)
    return out


@pytest.fixture
def client(made):
    with llmclient.Client(socket_path=made.socket, app_name="test") as out:
        yield out


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 50))


# ---- whole answers


def test_a_whole_answer_and_its_bill(client, made, provider):
    answer = client.chat(model=MODEL, messages=["12 words, please"])
    assert answer.text == " ".join(f"word{i}" for i in range(1, 13))
    assert (answer.provider, answer.model, answer.stop_reason) == ("test", "gpt-test", "stop")
    bill = provider.bill()
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens) == (bill["input"], bill["output"])
    assert usage.cost_nanousd == bill["input"] * 150 + bill["output"] * 600
    assert usage.cost_usd == pytest.approx(usage.cost_nanousd / 1e9)
    assert usage.total_us >= usage.ttft_us > 0 and usage.cache is None
    row = made.wait_ledger(1, 1)["exchange"][0]
    assert answer.request_id and row["cost_nusd"] == usage.cost_nanousd
    assert answer.request_id in made.log()


def test_what_is_not_known_is_none(client):
    usage = client.chat("hello", model=ECHO).usage
    assert usage.cache_write_tokens is None and usage.saved_usd is None


def test_messages_of_all_kinds(client, provider):
    call = llmclient.ToolCall("call_1", "weather", '{"city":"Bonn"}')
    client.chat([llmclient.System("be brief"), llmclient.User("hi é 漢"), llmclient.Assistant("hm"),
                 {"role": "user", "content": [{"type": "text", "text": "as OpenAI has it"}]},
                 llmclient.Assistant("", [call]), llmclient.ToolResult(call, "rain"), "and now?"],
                model=MODEL, system="first of all", tools=[llmclient.Tool("weather")])
    seen = provider.requests()[0].json["messages"]
    assert [one["role"] for one in seen] == ["system", "system", "user", "assistant", "user", "assistant", "tool", "user"]
    assert seen[0]["content"] == "first of all" and seen[2]["content"] == "hi é 漢"
    assert seen[5]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Bonn"}'}
    assert (seen[6]["tool_call_id"], seen[6]["content"], seen[7]["content"]) == ("call_1", "rain", "and now?")


def test_parameters_arrive(client, provider):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
    client.chat("hi", model=MODEL, max_tokens=7, temperature=0.5, stop=["END", "STOP"], reasoning="low",
                json_answer=llmclient.JsonAnswer(schema, "thing"), extra={"user": "me", "top_k": 3},
                tools=[llmclient.Tool("f", "does", schema)], tool_choice="f", tags=["fast"], session="one",
                batch=True, at_most_once=True, timeout=30, max_cost_usd=1.5)
    seen = provider.requests()[0].json
    assert 7 in (seen.get("max_tokens"), seen.get("max_completion_tokens"))
    assert (seen["temperature"], seen["stop"], seen["user"], seen["top_k"]) == (0.5, ["END", "STOP"], "me", 3)
    assert seen["reasoning_effort"] == "low" and seen["response_format"]["json_schema"]["name"] == "thing"
    assert seen["response_format"]["json_schema"]["schema"] == schema
    assert seen["tools"][0]["function"]["parameters"] == schema
    assert seen["tool_choice"]["function"]["name"] == "f"


def test_images_and_files_by_their_bytes(client, provider, tmp_path):
    (tmp_path / "notes.txt").write_text("some notes")
    client.chat(llmclient.User("look", [llmclient.Attachment(memoryview(PNG)),
                                        llmclient.Attachment.from_file(tmp_path / "notes.txt")]), model=MODEL)
    parts = provider.requests()[0].json["messages"][0]["content"]
    assert parts[0]["text"] == "look"
    assert parts[1]["image_url"]["url"] == "data:image/png;base64," + base64.b64encode(PNG).decode()
    assert 'name="notes.txt"' in parts[2]["text"] and "some notes" in parts[2]["text"]
    client.chat(llmclient.User("", [llmclient.Attachment(PNG, "image/png")]), model=MODEL)
    parts = provider.requests()[1].json["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["image_url"]
    with pytest.raises(TypeError):
        client.chat(llmclient.User("x", [llmclient.Attachment(12)]), model=MODEL)


def test_a_large_request_comes_whole(client, provider):
    text = "a large text " * 200_000
    client.chat([text, "3 words"], model=MODEL)
    assert provider.requests()[0].json["messages"][0]["content"] == text


# ---- streams


def test_events_come_while_the_provider_holds_the_rest(client, provider):
    provider.script(hold=2, answer={"text": "first then the rest"})
    with client.stream("say it", model=MODEL) as stream:
        first = next(event for event in stream if event.text)
        assert first == llmclient.Text("first") and first.type is llmclient.EventType.TEXT
        assert stream.result.text == "first" and stream.result.stop_reason is None
        provider.release()
        rest = list(stream)
        assert "".join(event.text for event in rest) == " then the rest"
        assert isinstance(rest[-1], llmclient.Done) and rest[-1].usage == stream.result.usage
        assert next(stream, None) is None
    assert stream.result.text == "first then the rest" and stream.request_id


def test_reasoning_refusals_and_tools_are_events(client, provider):
    provider.script(answer={"reasoning": "let me see", "text": "well", "tool_calls": [
        {"id": "c1", "name": "f", "arguments": '{"a": 1}'}, {"id": "c2", "name": "g", "arguments": ""}]})
    stream = client.stream("go", model=MODEL, tools=[llmclient.Tool("f"), llmclient.Tool("g")])
    events = list(stream)
    assert "".join(one.piece for one in events if isinstance(one, llmclient.Reasoning)) == "let me see"
    starts = [one for one in events if isinstance(one, llmclient.ToolStart)]
    assert [(one.index, one.id, one.name) for one in starts] == [(0, "c1", "f"), (1, "c2", "g")]
    ends = [one.call for one in events if isinstance(one, llmclient.ToolEnd)]
    assert ends == list(stream.result.tool_calls) and ends[0].parsed() == {"a": 1} and ends[1].parsed() == {}
    args = "".join(one.piece for one in events if isinstance(one, llmclient.ToolArgs) and one.index == 0)
    assert json.loads(args) == {"a": 1} and stream.result.reasoning == "let me see"
    provider.script(answer={"refusal": "no, thanks", "text": ""})
    stream = client.stream("go", model=MODEL)
    assert "".join(one.piece for one in stream if isinstance(one, llmclient.Refusal)) == "no, thanks"
    assert stream.result.refusal == "no, thanks"


def test_what_was_changed_is_told(client):
    """A text file is no part that this provider takes: it goes out as words."""
    message = llmclient.User("look", [llmclient.Attachment(b"some notes", "text/plain")])
    answer = client.chat(message, model=MODEL)
    stream = client.stream(message, model=MODEL)
    told = tuple(one for one in stream if isinstance(one, llmclient.Notice))
    assert told == answer.notices == stream.result.notices
    assert "emulated" in {one.code for one in told} and all(one.message for one in told)
    with pytest.raises(llmclient.LLMError):
        client.chat(message, model=MODEL, strict=True)


@pytest.mark.parametrize("leave", ["with", "close", "forget", "cycle"])
def test_a_stream_that_is_left_is_cancelled(client, made, provider, leave):
    provider.script(hold=2, answer={"text": "first then the rest"})
    stream = client.stream("say it", model=MODEL)
    assert next(event.text for event in stream if event.text) == "first"
    if leave == "with":
        with stream:
            pass
    elif leave == "close":
        stream.close()
        stream.close()
        assert list(stream) == [] and stream.result.text == "first"
    elif leave == "cycle":
        stream.itself = stream
        del stream
        gc.collect()
    else:
        del stream
    assert provider.wait_disconnect()["hangup_at"]
    assert made.wait_ledger(1, 1)["exchange"][0]["outcome"] == "cancelled"
    assert client.chat("still there", model=ECHO).text == "still there"


def test_another_thread_cancels(client, provider):
    provider.script(hold=2, answer={"text": "first then the rest"})
    stream = client.stream("say it", model=MODEL)
    assert next(event.text for event in stream if event.text) == "first"
    threading.Timer(0.2, stream.cancel).start()
    with pytest.raises(llmclient.CallCancelled) as caught:
        list(stream)
    assert caught.value.partial.text == "first" == stream.result.text
    assert provider.wait_disconnect()["hangup_at"]


# ---- tools, and an answer that is said back


@pytest.mark.parametrize("copied", [False, True])
def test_tools(client, provider, copied):
    tool = llmclient.Tool("weather", "of a city", {"type": "object", "properties": {"city": {"type": "string"}}})
    said = ['call weather {"city":"Bonn"}']
    answer = client.chat(said, model=MODEL, tools=[tool])
    assert answer.stop_reason == "tool_calls"
    (call,) = answer.tool_calls
    assert (call.name, call.parsed()) == ("weather", {"city": "Bonn"})
    if copied:
        again = pickle.loads(pickle.dumps(answer))
        assert again == answer and again.held is None
        answer = again
    last = client.chat([*said, answer, llmclient.ToolResult(call, "It rains.", is_error=False)], model=MODEL, tools=[tool])
    assert last.text == "It rains."
    seen = provider.requests()[1].json["messages"]
    assert [one["role"] for one in seen] == ["user", "assistant", "tool"]
    assert seen[1]["tool_calls"][0]["id"] == seen[2]["tool_call_id"] == call.id


def test_an_answer_outlives_its_client(made, provider):
    with llmclient.Client(socket_path=made.socket) as client:
        stream = client.stream("2 words", model=MODEL)
        list(stream)
        answer = stream.result
    del stream
    with llmclient.Client(socket_path=made.socket) as client:
        client.chat(["2 words", answer, "3 words"], model=MODEL)
    assert [one["content"] for one in provider.requests()[1].json["messages"]] == ["2 words", "word1 word2", "3 words"]


# ---- beside chat


def test_beside_chat(client, provider):
    vectors = client.embed(["a cat", "a dog"], model="test/e", dimensions=40)
    assert [list(one) for one in vectors.vectors] == [answers.vector_of("a cat", 40), answers.vector_of("a dog", 40)]
    assert vectors.provider == "test" and vectors.usage.input_tokens == 4
    ranked = client.rerank("capital of France", ["cheese", "Paris is the capital of France"], model="test/e", top_n=1)
    assert [one.index for one in ranked.ranks] == [1] and ranked.ranks[0].score > 0
    judged = client.moderate(["all is well", "this is unsafe"], model="test/e")
    assert [one.is_flagged for one in judged.verdicts] == [False, True]
    assert any(judged.verdicts[1].categories.values()) and all(0 <= one <= 1 for one in judged.verdicts[1].scores.values())
    counted = client.count("how many tokens is this", model=ECHO)
    assert (counted.tokens, counted.is_estimate) == (5, False)
    assert client.count("how many tokens is this", model=MODEL).is_estimate
    listed = client.models("test")
    assert {one.id for one in listed} >= {f"test/{name}" for name in answers.MODELS["openai"]}
    assert {one.id for one in client.models()} >= {one.id for one in listed}


def test_beside_chat_async(made):
    async def main():
        async with llmclient.AsyncClient(socket_path=made.socket) as c:
            vectors, ranked, judged, counted, listed = await asyncio.gather(
                c.embed("a cat", model="test/e"), c.rerank("b", ["a", "b"], model="test/e"),
                c.moderate("this is unsafe", model="test/e"), c.count("hi", model=ECHO), c.models())
            assert list(vectors.vectors[0]) == answers.vector_of("a cat", 8)
            assert len(ranked.ranks) == 2 and judged.verdicts[0].is_flagged and counted.tokens and listed
            return await c.chat("2 words", model=MODEL)
    assert run(main()).text == "word1 word2"


# ---- the broker's own


def test_what_is_kept(client, provider):
    with pytest.raises(llmclient.NotCachedError):
        client.chat("4 words", model=MODEL, cache="only")
    first = client.chat("4 words", model=MODEL, temperature=0.0, cache=llmclient.Cache("on", ttl=60, namespace="mine"))
    assert first.usage.is_kept and first.usage.cache is None
    again = client.chat("4 words", model=MODEL, temperature=0.0, cache=llmclient.Cache("on", namespace="mine"))
    assert again.usage.cache == "hit" and again.text == first.text and again.usage.saved_usd == first.usage.cost_usd
    assert len(provider.requests()) == 1


def test_a_fallback_answers(client, provider):
    provider.script(status=500, times=0)
    assert client.chat("from afar", model=MODEL, fallbacks=ECHO).text == "from afar"


def test_a_socket_that_is_connected_already(made):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(made.socket))
        with llmclient.Client(fd=sock.detach()) as client:
            assert client.chat("hi", model=ECHO).text == "hi"


def test_on_behalf_of_somebody(client):
    with pytest.raises(llmclient.DeniedError) as caught:
        client.chat("hi", model=ECHO, behalf=llmclient.Behalf(token="llmb_unknown"))
    assert isinstance(caught.value, llmclient.PolicyError)
    pidfd = os.pidfd_open(os.getpid())
    try:
        assert client.chat("hi", model=ECHO, behalf=llmclient.Behalf(pidfd=pidfd)).text == "hi"
    finally:
        os.close(pidfd)


# ---- errors


@pytest.mark.parametrize("script, kind, code", [
    ({"status": 400}, "RequestError", "E_REQUEST"),
    ({"status": 401}, "ProviderError", "E_PROVIDER"),
    ({"status": 429, "headers": {"retry-after": "900"}}, "RateLimitError", "E_RATE"),
    ({"status": 500}, "ProviderError", "E_PROVIDER"),
    ({"status": 503}, "OverloadedError", "E_OVERLOADED")])
def test_a_provider_that_fails(client, provider, script, kind, code):
    provider.script(**script, times=0)
    with pytest.raises(getattr(llmclient, kind)) as caught:
        client.chat("hi", model=MODEL, timeout=20)
    error = caught.value
    assert (error.code, error.provider, error.http_status) == (getattr(llmclient.Code, code), "test", script["status"])
    assert error.message == str(error) and error.request_id and error.kind
    assert isinstance(error, llmclient.ProviderError) and isinstance(error, llmclient.LLMError)
    if kind == "RateLimitError":
        assert error.is_retryable and 0 < error.retry_after <= 900
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error) and (again.code, again.request_id) == (error.code, error.request_id)


@pytest.mark.parametrize("model, kind", [("test/missing-model", "NoModelError"), ("nowhere/x", "LLMError")])
def test_no_such_model(client, model, kind):
    with pytest.raises(getattr(llmclient, kind)):
        client.chat("hi", model=model)


def test_no_key(broker, provider):
    made = broker(configured(provider))
    with llmclient.Client(socket_path=made.socket) as client, pytest.raises(llmclient.NoKeyError) as caught:
        client.chat("hi", model=MODEL)
    assert "llmb key add" in str(caught.value) and isinstance(caught.value, llmclient.PolicyError)


def test_a_limit_of_money(client, provider):
    with pytest.raises(llmclient.BudgetError):
        client.chat("hi", model=MODEL, max_cost_usd=0.0, max_tokens=1000)
    assert provider.requests() == []


def test_a_limit_of_time(client, provider):
    provider.script(silence="start")
    began = time.monotonic()
    with pytest.raises(llmclient.CallTimeout) as caught:
        client.chat("hi", model=MODEL, timeout=0.3)
    assert time.monotonic() - began < SOON and isinstance(caught.value, TimeoutError)


def test_an_answer_that_breaks_off_is_readable(client, provider):
    provider.script(answer={"text": "half of it and the rest"}, reset_after={"events": 3})
    with pytest.raises(llmclient.ProviderError) as caught:
        client.chat("hi", model=MODEL)
    assert caught.value.partial.text.startswith("half") and "rest" not in caught.value.partial.text


@pytest.mark.parametrize("ask", [
    {"messages": []}, {"messages": "a\0b"}, {"messages": "\ud800"}, {"messages": "hi", "max_tokens": 0},
    {"messages": "hi", "max_tokens": 2**40}, {"messages": "hi", "temperature": float("nan")},
    {"messages": "hi", "timeout": 0}, {"messages": "hi", "cache": "sometimes"}, {"messages": "hi", "model": ""},
    {"messages": "hi", "reasoning": "very"}, {"messages": {"role": "nobody", "content": "hi"}},
    {"messages": "hi", "tags": [""]}])
def test_bad_arguments(client, provider, ask):
    with pytest.raises(llmclient.ArgumentError) as caught:
        client.chat(**{"model": MODEL, **ask})
    assert isinstance(caught.value, ValueError) and str(caught.value)
    assert provider.requests() == []
    assert client.chat("fine", model=ECHO).text == "fine"


@pytest.mark.parametrize("ask", [{"messages": 3}, {"messages": [3]}, {"messages": "hi", "max_tokens": "3"},
                                 {"messages": "hi", "model": 3}, {"messages": "hi", "topk": 3}])
def test_arguments_of_another_type(client, ask):
    with pytest.raises(TypeError):
        client.chat(**ask)


def test_a_closed_client(made):
    client = llmclient.Client(socket_path=made.socket)
    stream = client.stream("hello", model=ECHO)
    client.close()
    client.close()
    with pytest.raises(llmclient.ClosedError):
        list(stream)
    with pytest.raises(llmclient.ClosedError):
        client.chat("hello", model=ECHO)
    stream.cancel()
    stream.close()
    assert stream.result.text == ""


# ---- a broker that is not one


def test_no_broker(tmp_path):
    with llmclient.Client(socket_path=tmp_path / "none", autostart=False) as client:
        with pytest.raises(llmclient.UnreachableError) as caught:
            client.chat("hi")
    assert isinstance(caught.value, llmclient.BrokerError) and isinstance(caught.value, ConnectionError)


@pytest.fixture
def impostor(tmp_path):
    """A function: what it says to who connects. It runs in a thread, and returns its path."""
    path = tmp_path / "s"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()
    held = []

    def serve(said):
        def accept():
            while True:
                try:
                    one = server.accept()[0]
                except OSError:
                    return
                if said is None:
                    held.append(one)
                    continue
                one.sendall(said)
                one.close()
        threading.Thread(target=accept, daemon=True).start()
        return path
    yield serve
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    for one in held:
        one.close()


@pytest.mark.parametrize("said, kind", [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "ProtocolError"), (b"\0\0\0\3abc", "ProtocolError"),
                                        (b"", "BrokerError"), (None, "CallTimeout")])
def test_something_else_listens(impostor, said, kind):
    path = impostor(said)
    with llmclient.Client(socket_path=path, connect_timeout=0.3, max_retries=1) as client:
        with pytest.raises(getattr(llmclient, kind)):
            client.chat("hi")

    async def main():
        async with llmclient.AsyncClient(socket_path=path, connect_timeout=0.3, max_retries=1) as c:
            with pytest.raises(getattr(llmclient, kind)):
                await c.chat("hi")
    run(main())


def test_garbage_in_the_middle_of_an_answer(made, provider, tmp_path):
    """A broker that speaks sense until the first piece of the answer."""
    provider.script(hold=2, answer={"text": "first then the rest"}, times=2)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(tmp_path / "s"))
    server.listen()

    def between():
        for _ in range(2):
            with server.accept()[0] as ours, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as broker:
                broker.connect(str(made.socket))
                while True:
                    side = select.select([ours, broker], [], [], SOON)[0][0]
                    data = side.recv(65536)
                    (broker if side is ours else ours).sendall(data)
                    if b"first" in data and side is broker:
                        ours.sendall(b"\0\0\0\4\xff\xff\xff\xff")
                    if not data:
                        break
    thread = threading.Thread(target=between)
    thread.start()
    with llmclient.Client(socket_path=tmp_path / "s") as client, pytest.raises(llmclient.ProtocolError) as caught:
        client.chat("say it", model=MODEL)
    assert caught.value.partial.text == "first"

    async def main():
        async with llmclient.AsyncClient(socket_path=tmp_path / "s") as c:
            stream = c.stream("say it", model=MODEL)
            with pytest.raises(llmclient.ProtocolError):
                async for _ in stream:
                    pass
            return stream.result.text
    assert run(main()) == "first"
    thread.join(SOON)
    server.close()
    assert not thread.is_alive()


def test_a_broker_that_dies(made, provider):
    provider.script(hold=2, answer={"text": "first then the rest"}, times=2)
    with llmclient.Client(socket_path=made.socket) as client:
        stream = client.stream("say it", model=MODEL)
        assert next(event.text for event in stream if event.text) == "first"

        async def main():
            async with llmclient.AsyncClient(socket_path=made.socket) as c:
                other = c.stream("say it", model=MODEL)
                async for event in other:
                    if event.text:
                        made.kill9()
                        break
                with pytest.raises(llmclient.BrokenError):
                    async for _ in other:
                        pass
                return other.result
        assert run(main()).text == "first"
        with pytest.raises(llmclient.BrokenError) as caught:
            list(stream)
        assert caught.value.partial.text == "first"
        made.start()
        assert client.chat("back again", model=ECHO).text == "back again"


# ---- threads


def test_threads_share_a_client(client):
    def ask(n):
        if n % 2:
            return client.chat(f"thread {n} " * 50, model=ECHO).text
        return "".join(event.text for event in client.stream(f"thread {n} " * 50, model=ECHO))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, range(128), timeout=50))
    assert [one.split() for one in found] == [["thread", str(n)] * 50 for n in range(128)]


def test_one_who_waits_holds_up_nobody(client, provider):
    """The first polls for all; when it goes, another does."""
    provider.script({"hold": 2, "answer": {"text": "first then the rest"}, "times": 2})
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(client.chat, "say it", model=MODEL) for _ in range(2)]
        provider.wait_held(2, timeout=SOON)
        began = time.monotonic()
        for n in range(20):
            assert client.chat(f"echo {n}", model=ECHO).text == f"echo {n}"
        assert time.monotonic() - began < SOON and not any(one.done() for one in waiting)
        provider.release(at_least=2)
        assert [one.result(SOON).text for one in waiting] == ["first then the rest"] * 2


def test_a_client_is_closed_under_those_who_wait(client, provider):
    provider.script({"hold": 2, "answer": {"text": "first then the rest"}, "times": 3})
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(client.chat, "say it", model=MODEL) for _ in range(3)]
        provider.wait_held(3, timeout=SOON)
        client.close()
        for one in waiting:
            with pytest.raises(llmclient.ClosedError):
                one.result(SOON)


def test_nothing_is_left_of_what_is_over(made):
    """Neither descriptors nor memory; `client` is one of many that come and go."""
    text = "0123456789" * 20_000

    def rounds(n):
        for _ in range(n):
            with llmclient.Client(socket_path=made.socket) as client:
                client.chat(text, model=ECHO)
                for _ in client.stream(text, model=ECHO):
                    break
            run(ask())
        gc.collect()

    async def ask():
        c = llmclient.AsyncClient(socket_path=made.socket)
        assert (await c.chat("hi", model=ECHO)).text == "hi"  # and forgotten: nothing is open

    def rss_kib():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    rounds(10)
    fds, memory = len(os.listdir("/proc/self/fd")), rss_kib()
    rounds(60)
    assert len(os.listdir("/proc/self/fd")) == fds
    if not harness.is_sanitized():
        assert rss_kib() - memory < 60 * 200 // 2  # an answer kept of each round would be twice that


# ---- asyncio


def test_fifty_streams_in_one_loop(made, provider):
    """While they are held the loop goes on."""
    provider.script({"hold": 2, "answer": {"text": "first then the rest"}, "times": 50})
    ticks = []

    async def tick():
        while True:
            await asyncio.sleep(0.005)
            ticks.append(time.monotonic())

    async def ask(c):
        async with c.stream("say it", model=MODEL) as stream:
            return "".join([event.text async for event in stream]), stream.result.usage.output_tokens

    async def main():
        async with llmclient.AsyncClient(socket_path=made.socket) as c:
            ticker = asyncio.create_task(tick())
            tasks = [asyncio.create_task(ask(c)) for _ in range(50)]
            await asyncio.to_thread(provider.wait_held, 50, SOON)
            seen = len(ticks)
            while len(ticks) < seen + 20:
                await asyncio.sleep(0.005)
            assert not any(task.done() for task in tasks)
            await asyncio.to_thread(provider.release, None, 50)
            done = await asyncio.gather(*tasks)
            ticker.cancel()
            return done
    assert run(main()) == [("first then the rest", 4)] * 50
    assert max(b - a for a, b in zip(ticks, ticks[1:])) < 2, "the loop stood still"


def test_a_long_answer_lets_others_have_their_turn(made):
    async def main():
        turns = 0

        async def other():
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1
        async with llmclient.AsyncClient(socket_path=made.socket) as c:
            task = asyncio.create_task(other())
            pieces = [event.text async for event in c.stream("word " * 4000, model=ECHO)]
            assert "".join(pieces).split() == ["word"] * 4000
            of_stream = turns
            assert of_stream >= len(pieces) // 32
            assert (await c.chat("word " * 4000, model=ECHO)).text == "".join(pieces)
            assert turns - of_stream >= 4000 // 256
            task.cancel()
    run(main())


@pytest.mark.parametrize("how", ["cancel", "timeout", "chat"])
def test_a_cancelled_task_cancels_its_call(made, provider, how):
    provider.script(hold=2, answer={"text": "first then the rest"})

    async def read(c, first):
        if how == "chat":
            first.set()
            await c.chat("say it", model=MODEL)
        async for event in c.stream("say it", model=MODEL):
            if event.text:
                first.set()

    async def main():
        async with llmclient.AsyncClient(socket_path=made.socket) as c:
            first = asyncio.Event()
            if how == "timeout":
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(1):
                        await read(c, first)
            else:
                task = asyncio.create_task(read(c, first))
                await first.wait()
                if how == "chat":
                    await asyncio.to_thread(provider.wait_held, 1, SOON)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            gone = await asyncio.to_thread(provider.wait_disconnect)
            assert gone["hangup_at"]
            return await c.chat("still there", model=ECHO)
    assert run(main()).text == "still there"
    assert {row["outcome"] for row in made.wait_ledger(2)["exchange"]} == {"cancelled", "ok"}


def test_an_async_stream_is_cancelled_by_another_thread(made, provider):
    provider.script(hold=2, answer={"text": "first then the rest"})

    async def main():
        async with llmclient.AsyncClient(socket_path=made.socket) as c:
            stream = c.stream("say it", model=MODEL)
            threading.Timer(0.3, stream.cancel).start()
            with pytest.raises(llmclient.CallCancelled):
                async for _ in stream:
                    pass
    run(main())


def test_a_forgotten_async_stream_is_cancelled(made, provider):
    provider.script(hold=2, answer={"text": "first then the rest"})

    async def main():
        async with llmclient.AsyncClient(socket_path=made.socket) as c:
            async for event in c.stream("say it", model=MODEL):
                if event.text:
                    break
            assert (await asyncio.to_thread(provider.wait_disconnect))["hangup_at"]
    run(main())


def test_one_loop_at_a_time(made, provider):
    provider.script(hold=2, answer={"text": "first then the rest"})
    client = llmclient.AsyncClient(socket_path=made.socket)
    with pytest.raises(RuntimeError):
        client.stream("hi")
    for _ in range(2):  # a loop after another
        assert run(client.chat("hi", model=ECHO)).text == "hi"

    async def main():
        task = asyncio.create_task(client.chat("say it", model=MODEL))
        await asyncio.to_thread(provider.wait_held, 1, SOON)
        with pytest.raises(llmclient.ArgumentError):
            await asyncio.to_thread(asyncio.run, client.chat("hi", model=ECHO))
        stream = client.stream("2 words", model=MODEL)
        with pytest.raises(llmclient.ArgumentError):
            await asyncio.to_thread(asyncio.run, stream.__anext__())
        assert "".join([event.text async for event in stream]) == "word1 word2"
        await client.aclose()
        with pytest.raises(llmclient.ClosedError):
            await task
        with pytest.raises(llmclient.ClosedError):
            await client.chat("hi", model=ECHO)
    run(main())


# ---- forks and signals


def in_child(check):
    """What `check` returns in a fork of this process, as text."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "nothing"
        try:
            said = str(check())
        except BaseException as why:
            said = f"{type(why).__name__}: {why}"
        finally:
            os.write(writes, said.encode())
            os._exit(0)
    os.close(writes)
    with open(reads, "rb") as file:
        said = file.read().decode()
    os.waitpid(pid, 0)
    return said


def test_a_fork_is_refused(client, made, provider):
    provider.script(hold=2, answer={"text": "first then the rest"})
    stream = client.stream("say it", model=MODEL)
    assert next(event.text for event in stream if event.text) == "first"
    assert "made before a fork" in in_child(lambda: client.chat("hi", model=ECHO))
    assert in_child(lambda: next(stream)).startswith("ForkedError")

    def sockets():
        found = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
                 if os.path.exists(f"/proc/self/fd/{fd}")]
        return sum(one.startswith("socket:") or "eventpoll" in one for one in found)
    here = sockets()
    assert int(in_child(sockets)) == here - 2, "a child has neither our connection nor our epoll"

    def anew():
        stream.close()
        client.close()
        with llmclient.Client(socket_path=made.socket) as own:
            return own.chat("mine", model=ECHO).text
    assert in_child(anew) == "mine"
    provider.release()
    assert "".join(event.text for event in stream) == " then the rest", "the parent's goes on"


def test_a_fork_while_other_threads_call(client):
    is_over = threading.Event()

    def ask():
        while not is_over.is_set():
            assert client.chat("again", model=ECHO).text == "again"
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        try:
            for _ in range(20):
                assert in_child(lambda: client.chat("hi", model=ECHO)).startswith("ForkedError")
        finally:
            is_over.set()
        for one in asking:
            one.result(SOON)


INTERRUPTED = """
import llmclient, sys, threading, time
client = llmclient.Client(socket_path=sys.argv[1])
if sys.argv[2] == "follows":
    threading.Thread(target=lambda: client.chat("say it", model="test/gpt-test"), daemon=True).start()
    time.sleep(0.3)
stream = client.stream("say it", model="test/gpt-test")
try:
    for event in stream:
        print(event.text, flush=True)
except KeyboardInterrupt:
    stream.close()
    print("interrupted", stream.result.text, client.chat("still there", model="offline/echo").text, flush=True)
"""


@pytest.mark.parametrize("how", ["leads", "follows"])
def test_a_wait_is_interrupted(made, provider, how):
    provider.script(hold=2, answer={"text": "first then the rest"}, times=2)
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(made.socket), how], stdout=subprocess.PIPE,
                               env={**made.env, **python_module.env()}, text=True)
    try:
        provider.wait_held(1 if how == "leads" else 2, timeout=SOON)
        while process.stdout.readline().strip() != "first":
            pass
        time.sleep(0.2)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted first still there\n"
        assert time.monotonic() - began < 5
        assert process.wait(SOON) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_handler_may_call_while_its_thread_waits(client, provider):
    provider.script(hold=2, answer={"text": "first then the rest"})
    found = []

    def on_signal(*_):
        found.append(client.chat("from a handler", model=ECHO).text)
        provider.release()
    before = signal.signal(signal.SIGUSR1, on_signal)
    try:
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        assert client.chat("say it", model=MODEL).text == "first then the rest"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert found == ["from a handler"]


# ---- the examples


@pytest.mark.parametrize("example, args, said", [
    ("hello.py", [], "Say hello in three languages."),
    ("many.py", [], "Count to three. Count to three."),
    ("tools.py", ['call weather {"city":"Bonn"}', MODEL], "It rains in Bonn.")])
def test_the_examples(broker, provider, example, args, said):
    made = broker(configured(provider) + harness.section("model", "default", {"target": ECHO}))
    made.add_key("test", KEY)
    done = subprocess.run([sys.executable, harness.TOP / "libllmclient/examples" / example, *args], text=True,
                          capture_output=True, timeout=harness.CALL_SECONDS, env={**made.client_env(), **python_module.env()})
    assert done.returncode == 0 and said in done.stdout, done
