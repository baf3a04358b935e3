/* objects.c - what a provider says is not there is looked for in the request. */
#include "brokerd/exchange/objects.h"

/* Codes that are of the model, or of the account: whoever asks meets the same. */
static const char *const of_all[] = {"endpoint", "model_not_found", "DeploymentNotFound",
	"unknown_model", "ModelNotFound", "model_decommissioned", "Model.AccessDenied",
	"AccessDenied.Unpurchased", "no_access", "1500" /* Mistral */, "1211" /* Z.ai */,
	"unsupported_country_region_territory", "AuthenticationTypeDisabled",
	"PublicNetworkAccessDisabled", "SERVICE_DISABLED", "API_KEY_SERVICE_BLOCKED",
	"CONSUMER_SUSPENDED", "organization_restricted", "organization_on_hold"};

static bool is_of_all(const char *code)
{
	for (size_t i = 0; i < COUNT_OF(of_all); i++) {
		if (strcasecmp(code, of_all[i]) == 0)
			return true;
	}
	return false;
}

/* A name is a text, maybe within something; a number or a switch is none. */
static bool may_name(const struct extra *extra)
{
	for (size_t i = 0; i < extra->n; i++) {
		const struct span json = span_trim(extra->members[i].json);
		if (json.n > 0 && (json.p[0] == '"' || json.p[0] == '{' || json.p[0] == '['))
			return true;
	}
	return false;
}

static bool part_names(const struct part *p)
{
	return p->media.file_id.n > 0 || p->media.url.n > 0 || p->opaque.data.n > 0 ||
	       may_name(&p->extra);
}

static bool parts_name(const struct part *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (part_names(&parts[i]))
			return true;
	}
	return false;
}

static bool request_names(const struct llm_request *r)
{
	if (r->n_provider_options > 0 || r->audio_voice.n > 0 || r->service_tier.n > 0 ||
		may_name(&r->extra) || parts_name(r->inputs, r->n_inputs))
		return true;
	for (size_t i = 0; i < r->n_tools; i++) {
		if (r->tools[i].type == TOOL_PROVIDER || may_name(&r->tools[i].extra))
			return true;
	}
	for (size_t i = 0; i < r->n_messages; i++) {
		const struct message *m = &r->messages[i];
		if (may_name(&m->extra) || parts_name(m->parts, m->n_parts))
			return true;
	}
	return false;
}

bool objects_may_be_meant(const struct llm_request *r, const struct fault *why)
{
	if (why->err != ERR_NOT_FOUND && why->err != ERR_PERMISSION && why->http_status != 424)
		return false;
	return !is_of_all(why->code) && request_names(r);
}
