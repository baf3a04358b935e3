/* info.c - what does a client know of the broker it speaks to? */
#include "libllmclient/src/client.h"
#include "protocol/base/json.h"

const char *llm_client_info(llm_client *c)
{
	if (!c || client_is_forked(c))
		return NULL;
	if (c->info.n == 0 && llm_client_connect(c) != LLM_OK)
		return NULL;
	return c->info.n > 0 ? c->info.p : NULL;
}

const char *llm_client_models(llm_client *c)
{
	struct json answer;
	struct fault why = FAULT_NONE;
	if (!c)
		return NULL;
	char *json = llm_admin_call(c, "models", NULL);
	if (!json)
		return NULL;
	enum err err = json_scan(span_str(json), JSON_STRICT, &answer, &why);
	const struct json models = err ? JSON_NONE : json_member(answer, "models");
	buf_clear(&c->models);
	buf_span(&c->models, models.text);
	buf_byte(&c->models, '\0');
	if (!err)
		err = buf_error(&c->models);
	if (!err && json_kind(models) != JSON_ARRAY)
		err = ERR_MALFORMED;
	llm_free(json);
	if (!err)
		return c->models.p;
	if (!why.err)
		fault_set(&why, err, "the broker's list of models is none");
	client_fail(c, &why);
	return NULL;
}
