"""test_catalogue.py - what is known of models, and whose word counts?"""

import json

import harness
import pytest

LITELLM = {
    "sample_spec": {"litellm_provider": "one of them", "mode": "one of: chat, embedding"},
    "acme-large": {
        "litellm_provider": "acme", "mode": "chat", "max_input_tokens": 200000,
        "max_output_tokens": 8192, "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 2.5e-07, "cache_creation_input_token_cost": 3.125e-06,
        "cache_creation_input_token_cost_above_1hr": 5e-06,
        "input_cost_per_token_above_200k_tokens": 5e-06, "input_cost_per_token_flex": 1.25e-06,
        "supports_function_calling": True, "supports_vision": True, "supports_pdf_input": False,
        "reasoning_effort_levels": ["low", "high"], "deprecation_date": "2027-01-31",
        "supported_output_modalities": ["text"],
    },
    "together_ai/org/model-7b": {"litellm_provider": "together_ai", "mode": "chat",
                                 "max_input_tokens": 4096},
    "bedrock/embedder": {"litellm_provider": "bedrock", "mode": "embedding",
                         "output_vector_size": 1024, "input_cost_per_token": 2e-08},
    "acme-painter": {"litellm_provider": "acme", "mode": "video_generation"},
    "a model with spaces": {"litellm_provider": "acme", "mode": "chat"},
}
MODELS_DEV = {
    "google": {"id": "google", "name": "Google", "models": {
        "gemini-9-flash": {
            "id": "gemini-9-flash", "name": "Gemini 9 Flash", "tool_call": True, "reasoning": True,
            "structured_output": True, "temperature": False, "release_date": "2026-10-01",
            "modalities": {"input": ["text", "image", "pdf"], "output": ["text"]},
            "limit": {"context": 1048576, "output": 65536},
            "cost": {"input": 0.3, "output": 2.5, "cache_read": 0.03,
                     "context_over_200k": {"input": 0.6, "output": 5}},
            "reasoning_options": [{"type": "effort", "values": ["minimal", "high"]}],
        }}},
    "acme": {"id": "acme", "models": {"tiny": {"id": "tiny", "limit": {"context": 8192, "output": 0},
                                               "cost": {"input": 0, "output": 0}}}},
}
ACME = harness.section("provider", "acme", {"dialect": "openai-chat",
                                            "base_url": "https://acme.example/v1"})


def known(made, provider):
    listed = json.loads(made.llmb("models", provider, "--known", "--json").out)["models"]
    return {model["id"]: model for model in listed}


def write(tmp_path, what):
    path = tmp_path / "list.json"
    path.write_text(what if isinstance(what, str) else json.dumps(what))
    return str(path)


def test_the_snapshot_is_there_without_a_file(broker):
    models = known(broker(), "openai")
    assert len(models) > 20
    mini = models["openai/gpt-4o-mini"]
    assert mini["context"] == 128000 and mini["price_input"] == 0.15 and mini["kind"] == ["chat"]
    assert "image" in mini["input"] and "tools" in mini["params"] and not mini["has_key"]


def test_litellms_table(broker, tmp_path):
    made = broker(ACME)
    done = made.llmb("catalogue", "import", write(tmp_path, LITELLM))
    assert done.code == 0 and "3 of them from this list (LiteLLM; 3 entries" in done.err
    large = known(made, "acme")["acme/acme-large"]
    assert (large["context"], large["max_output"]) == (200000, 8192)
    assert (large["price_input"], large["price_output"]) == (2.5, 10.0)
    assert (large["price_cache_read"], large["price_cache_write_5m"]) == (0.25, 3.125)
    assert large["price_cache_write_1h"] == 5.0
    assert large["efforts"] == ["low", "high"] and large["retires"] == "2027-01-31"
    assert large["input"] == ["text", "image"] and large["output"] == ["text"]
    cases = {(row.get("tier"), row.get("above_tokens")): row for row in large["prices"]}
    assert sorted(cases, key=str) == [("flex", None), (None, 200000)]
    longer, flex = cases[None, 200000], cases["flex", None]
    # what a case does not say is as usual
    assert (longer["price_input"], longer["price_output"], longer["price_cache_read"]) == (5.0, 10.0, 0.25)
    assert (flex["price_input"], flex["price_output"]) == (1.25, 10.0)
    assert known(made, "together")["together/org/model-7b"]["context"] == 4096


def printed(tmp_path, what):
    """The lines that a list becomes."""
    made = harness.Broker()
    try:
        done = made.llmb("catalogue", "import", "--print", write(tmp_path, what))
        assert done.code == 0
        return done.out.splitlines()
    finally:
        made.close()


CHAT = {"litellm_provider": "acme", "mode": "chat"}


@pytest.mark.parametrize("key, entry, lines", [
    ("vertex_ai/claude-9", {"litellm_provider": "vertex_ai-anthropic_models", "mode": "chat"},
     ["vertex/claude-9 kind=chat in=text"]),
    ("vertex_ai/qwen/q9", {"litellm_provider": "vertex_ai-qwen_models", "mode": "chat"},
     ["vertex/qwen/q9 kind=chat in=text"]),
    ("tiers", {**CHAT, "input_cost_per_token": 1e-6, "input_cost_per_token_above_32k_tokens": 2e-6,
               "input_cost_per_token_above_512k_tokens": 3e-6,
               "input_cost_per_token_above_200k_tokens_priority": 4e-6,
               "cache_creation_input_token_cost_above_1hr_above_200k_tokens": 5e-6},
     ["acme/tiers kind=chat in=text price_input=1", "acme/tiers above=32000 price_input=2",
      "acme/tiers above=512000 price_input=3", "acme/tiers tier=priority above=200000 price_input=4",
      "acme/tiers above=200000 price_cache_write_1h=5"]),
    ("steps", {**CHAT, "tiered_pricing": [
        {"input_cost_per_token": 1.2e-6, "output_cost_per_token": 6e-6, "range": [0, 32000.0]},
        {"input_cost_per_token": 2.4e-6, "output_cost_per_token": 1.2e-5, "range": [32000.0, 128000.0]}]},
     ["acme/steps kind=chat in=text price_input=1.2 price_output=6",
      "acme/steps above=32000 price_input=2.4 price_output=12"]),
    ("least", {**CHAT, "input_cost_per_token": 0, "output_cost_per_token": 1e-30},
     ["acme/least kind=chat in=text price_input=0 price_output=0.000000001"]),
    ("ranker", {"litellm_provider": "acme", "mode": "rerank", "input_cost_per_token": 0.0,
                "output_cost_per_token": 0.0, "input_cost_per_query": 0.002},
     ["acme/ranker kind=rerank in=text"]),
])
def test_an_entry_of_litellms(tmp_path, key, entry, lines):
    assert printed(tmp_path, {key: entry}) == lines


def test_names_are_read_as_json_has_them(tmp_path):
    text = json.dumps(CHAT)
    lines = printed(tmp_path, '{"a\\u0062c": %s, "gpt-\\u00fc": %s}' % (text, text))
    assert lines == ["acme/abc kind=chat in=text"]


def test_what_is_left_out_is_counted(broker, tmp_path):
    made = broker(ACME)
    done = made.llmb("catalogue", "import", write(tmp_path, {
        "a": {**CHAT, "input_cost_per_token": 1e-6, "input_cost_per_image": 0.001,
              "input_cost_per_token_at_night": 1e-7, "output_cost_per_token": -1e-6,
              "cache_read_input_token_cost": "1e-7"},
        "b": {"litellm_provider": "nobody", "mode": "chat"}}))
    assert "4 prices were left out" in done.err
    assert "1 of the list are of providers that the broker does not have" in done.err


@pytest.mark.parametrize("provider, ours", [
    ("google-vertex-anthropic", "vertex"), ("novita-ai", "novita"), ("zhipuai", "zai-cn"),
    ("cloudflare-workers-ai", "cloudflare"), ("zai-coding-plan", "zai-coding"),
    ("alibaba-cn", "dashscope-cn"), ("siliconflow", None),
])
def test_a_provider_of_models_dev(tmp_path, provider, ours):
    lines = printed(tmp_path, {provider: {"models": {"m": {"cost": {"input": 1, "output": 2}}}}})
    assert lines == ([ours + "/m kind=chat price_input=1 price_output=2"] if ours else [])


@pytest.mark.parametrize("name, model, lines", [
    ("long", {"cost": {"input": 2.5, "output": 15, "context_over_200k": {"input": 5, "output": 22.5},
                       "tiers": [{"input": 5, "output": 22.5, "tier": {"type": "context", "size": 272000}}]}},
     ["acme/long kind=chat price_input=2.5 price_output=15",
      "acme/long above=272000 price_input=5 price_output=22.5"]),
    ("text-Embedding-3", {"limit": {"context": 8191, "output": 3072},
                          "modalities": {"input": ["text"], "output": ["text"]}},
     ["acme/text-Embedding-3 kind=embed context=8191 dimensions=3072 in=text out=text"]),
    ("e5", {"family": "text-embedding", "limit": {"context": 512, "output": 384}},
     ["acme/e5 kind=embed context=512 dimensions=384"]),
    ("scribe", {"modalities": {"input": ["audio"], "output": ["text"]}},
     ["acme/scribe kind=audio in=audio out=text"]),
    ("painter", {"modalities": {"input": ["text"], "output": ["image"]}},
     ["acme/painter kind=image in=text out=image"]),
    ("seer", {"modalities": {"input": ["text", "audio"], "output": ["text", "image"]}},
     ["acme/seer kind=chat in=text,audio out=text,image"]),
    ("whisper-1", {"limit": {"context": 0, "output": 0}}, ["acme/whisper-1 kind=audio"]),
])
def test_a_model_of_models_dev(tmp_path, name, model, lines):
    assert printed(tmp_path, {"acme": {"models": {name: model}}}) == lines


def test_models_devs_api_json(broker, tmp_path):
    made = broker(ACME)
    assert made.llmb("catalogue", "import", write(tmp_path, MODELS_DEV)).code == 0
    flash = known(made, "gemini")["gemini/gemini-9-flash"]
    assert (flash["context"], flash["max_output"]) == (1048576, 65536)
    assert (flash["price_input"], flash["price_output"], flash["price_cache_read"]) == (0.3, 2.5, 0.03)
    assert flash["params"] == ["tools", "json_schema", "reasoning"]
    assert flash["prices"] == [{"above_tokens": 200000, "price_input": 0.6, "price_output": 5.0,
                                "price_cache_read": 0.03}]
    tiny = known(made, "acme")["acme/tiny"]
    assert tiny["price_input"] == 0.0 and "max_output" not in tiny


def test_what_cannot_be_asked_yet_is_known(broker):
    made = broker()
    models = known(made, "vertex")
    assert models["vertex/claude-opus-5"]["price_input"] == 5.0
    everything = json.loads(made.llmb("models", "--known", "--json").out)["models"]
    listed = {model["id"].split("/")[0] for model in everything}
    assert {"azure", "bedrock", "vertex", "openai"} <= listed
    status = json.loads(made.llmb("status", "--json").out)
    assert len(everything) >= status["catalogue"]["models"] > 1500


def test_damage_costs_nothing_and_is_told(broker, tmp_path):
    made = broker(ACME)
    made.llmb("catalogue", "import", write(tmp_path, LITELLM))
    made.stop()
    (made.state_dir / "catalogue").write_text("half a line\n")
    made.start()
    assert "acme/acme-large" in known(made, "acme")  # of the copy
    told = made.llmb("doctor").out
    assert "3 imported 0 days ago" in told and "the file is damaged, and its copy holds" in told
    made.llmb("catalogue", "import", write(tmp_path, LITELLM))
    assert "damaged" not in made.llmb("doctor").out
    made.llmb("catalogue", "clear")
    assert "bundled on" in made.llmb("doctor").out and not list(made.state_dir.glob("catalogue*"))


def test_it_stays_and_goes(broker, tmp_path):
    made = broker(ACME)
    made.llmb("catalogue", "import", write(tmp_path, LITELLM))
    made.kill9()
    made.restart()
    assert "acme/acme-large" in known(made, "acme")
    assert made.llmb("catalogue", "clear").code == 0
    assert "acme/acme-large" not in known(made, "acme")
    made.restart()
    assert "acme/acme-large" not in known(made, "acme")


def test_the_configuration_beats_it(broker, tmp_path):
    made = broker(ACME + harness.section("model", "acme/acme-large", {"price_output": "9"}))
    made.llmb("catalogue", "import", write(tmp_path, LITELLM))
    large = known(made, "acme")["acme/acme-large"]
    assert (large["price_input"], large["price_output"]) == (2.5, 9.0)


def test_of_a_server_on_this_host_nothing_is_known(broker, provider, tmp_path):
    made = broker(harness.provider_section(provider, "test", model="gpt-test"))
    made.llmb("catalogue", "import",
              write(tmp_path, "test/gpt-test kind=chat price_input=1 price_output=2\n"))
    listed = json.loads(made.llmb("models", "--json").out)["models"]
    assert [m["price_input"] for m in listed if m["id"] == "test/gpt-test"] == [None]


@pytest.mark.parametrize("text, says", [
    ("", "is no list of models"),
    ("{}", "is no list of models"),
    ("{\"a\": 1}", "is no list of models"),
    ("{\"a\"", "is no list of models"),
    ("acme", "line 1 of the catalogue begins with no PROVIDER/MODEL"),
    ("acme/x price_input=cheap", "price_input has no such value"),
])
def test_what_is_no_list(broker, tmp_path, text, says):
    made = broker(ACME)
    made.llmb("catalogue", "import", write(tmp_path, LITELLM))
    done = made.llmb("catalogue", "import", write(tmp_path, text))
    assert says in done.err
    assert done.code != 0
    assert "acme/acme-large" in known(made, "acme")  # a bad one changes nothing


def test_a_list_of_the_size_of_the_public_ones(broker, tmp_path):
    made = broker(ACME)
    large = {**LITELLM["acme-large"]}
    done = made.llmb("catalogue", "import",
                     write(tmp_path, {f"acme-{i}": large for i in range(12000)}))
    assert done.code == 0 and "12000 of them from this list" in done.err
    assert len(known(made, "acme")) == 12000
    line = "acme/{} kind=chat in=text,image context=1000000 price_input=1 price_output=2\n"
    done = made.llmb("catalogue", "import",
                     write(tmp_path, "".join(line.format(i) for i in range(120000))))
    assert done.code != 0 and "at most 8388608 bytes" in done.err
    made.kill9()
    made.restart()
    assert len(known(made, "acme")) == 12000  # one that is too long changes nothing


def test_print_needs_no_broker(tmp_path):
    made = harness.Broker()
    try:
        done = made.llmb("catalogue", "import", "--print", write(tmp_path, LITELLM))
        assert done.code == 0
        assert "acme/acme-large kind=chat context=200000 max_output=8192 in=text,image" in done.out
        assert "bedrock/embedder kind=embed" in done.out and "dimensions=1024" in done.out
    finally:
        made.close()
