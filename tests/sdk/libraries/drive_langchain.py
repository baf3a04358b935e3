"""drive_langchain.py - drives langchain-openai and langchain-anthropic."""

from driver import result, serve
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import StructuredTool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel


class Weather(BaseModel):
    """The weather"""
    city: str
    degrees: float


def model(o):
    if o["api"] == "anthropic":
        return ChatAnthropic(model=o["model"], base_url=o["base"], api_key="x", max_retries=0)
    return ChatOpenAI(model=o["model"], base_url=o["base"] + "/v1", api_key="x", max_retries=0,
                      use_responses_api=o["api"] == "responses")


def ask(o, a):
    said = [SystemMessage(o["system"]), HumanMessage(o["prompt"])]
    if o.get("schema"):
        a.said["parsed"] = model(o).with_structured_output(Weather).invoke(said).model_dump()
    elif o.get("stream"):
        for chunk in model(o).stream(said):
            a.piece(str(chunk.text))
    else:
        done = model(o).invoke(said)
        a.said.update(text=str(done.text), usage=done.usage_metadata)


def loop(o, a):
    def tool(name):
        def call(city: str) -> str:
            a.call(None, name, {"city": city})
            return result(name, {"city": city})
        return StructuredTool.from_function(call, name=name, description="It tells.")
    tools = {name: tool(name) for name in ("get_weather", "get_time")}
    asked, said = model(o).bind_tools(list(tools.values())), [HumanMessage(o["prompt"])]
    for _ in range(5):
        if o.get("stream"):
            done = None
            for chunk in asked.stream(said):
                done = chunk if done is None else done + chunk
        else:
            done = asked.invoke(said)
        said.append(done)
        if not done.tool_calls:
            break
        said += [ToolMessage(tools[call["name"]].invoke(call["args"]), tool_call_id=call["id"])
                 for call in done.tool_calls]
    a.said["text"] = str(done.text)


serve({
    "ask": ask, "loop": loop,
    "embed": lambda o, a: {"vectors": OpenAIEmbeddings(
        model=o["model"], base_url=o["base"] + "/v1", api_key="x", check_embedding_ctx_length=False
    ).embed_documents(o["texts"])},
})
