"""drive_pydantic.py - drives pydantic-ai, by its models for OpenAI's two APIs."""

from driver import result, serve
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider


class Weather(BaseModel):
    city: str
    degrees: float


def agent(o, **more):
    made = OpenAIResponsesModel if o["api"] == "responses" else OpenAIChatModel
    return Agent(made(o["model"], provider=OpenAIProvider(base_url=o["base"] + "/v1", api_key="x")),
                 system_prompt=o.get("system", ()), **more)


def ask(o, a):
    if o.get("stream"):
        for text in agent(o).run_stream_sync(o["prompt"]).stream_text(delta=True, debounce_by=None):
            a.piece(text)
        return
    done = agent(o).run_sync(o["prompt"])
    u = done.usage
    u = u() if callable(u) else u
    a.said.update(text=done.output, usage={"input_tokens": u.input_tokens, "output_tokens": u.output_tokens})


def loop(o, a):
    made = agent(o)

    @made.tool_plain
    def get_weather(city: str) -> str:
        a.call(None, "get_weather", {"city": city})
        return result("get_weather", {"city": city})

    @made.tool_plain
    def get_time(city: str) -> str:
        a.call(None, "get_time", {"city": city})
        return result("get_time", {"city": city})
    a.said["text"] = made.run_sync(o["prompt"]).output


serve({"ask": ask, "loop": loop})
