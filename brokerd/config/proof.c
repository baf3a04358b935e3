/* proof.c - hosts of AWS end in REGION and one of a few domains. */
#include "brokerd/config/proof.h"

static const struct {
	enum auth_scheme auth;
	const char *url, *scope;
} endpoints[] = {
	{AUTH_GOOGLE, "https://oauth2.googleapis.com/token",
         "https://www.googleapis.com/auth/cloud-platform"},
	{AUTH_ENTRA,  "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
         "https://cognitiveservices.azure.com/.default"  },
};

/* "us-east-1", "us-gov-west-1" */
static bool is_region(struct span s)
{
	size_t n_hyphens = 0;
	for (size_t i = 0; i < s.n; i++)
		n_hyphens += s.p[i] == '-';
	return n_hyphens >= 2 && s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9';
}

/* Absent: the host's name does not say. */
static struct span region_of(struct span origin)
{
	static const char *const ends[] = {".vpce.amazonaws.com", ".vpce.amazonaws.com.cn",
		".amazonaws.com", ".amazonaws.com.cn", ".api.aws"};
	struct span host = span_skip(origin, span_find(origin, SPAN("://")) + 3);
	while (host.n > 0 && host.p[host.n - 1] != ':')
		host.n--;
	host.n -= host.n > 0;
	for (size_t i = 0; i < COUNT_OF(ends); i++) {
		if (!span_ends(host, span_str(ends[i])))
			continue;
		struct span rest = span_first(host, host.n - strlen(ends[i]));
		size_t dot = rest.n;
		while (dot > 0 && rest.p[dot - 1] != '.')
			dot--;
		rest = span_skip(rest, dot);
		if (is_region(rest))
			return rest;
	}
	return SPAN_NONE;
}

enum err proof_finish(struct provider *p, struct fault *why)
{
	if (p->auth == AUTH_SIGV4 && !span_is_set(p->region)) {
		p->region = region_of(p->origin);
		if (!span_is_set(p->region))
			return fault_set(why, ERR_MISCONFIGURED,
				"[provider \"%.*s\"] needs a region, as in region = us-east-1: its "
				"address does not say it",
				SPAN_ARG(p->name));
	}
	if (p->auth == AUTH_SIGV4 && !span_is_set(p->service))
		p->service = SPAN("bedrock");
	for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
		if (endpoints[i].auth != p->auth)
			continue;
		if (!span_is_set(p->token.scope))
			p->token.scope = span_str(endpoints[i].scope);
		/* what makes a provider's own address special goes for an endpoint that its section
		 * names, and not for the cloud's */
		if (span_is_set(p->token.url)) {
			p->token.ca_file = p->ca_file;
			p->token.is_local = p->is_local;
		} else {
			p->token.url = span_str(endpoints[i].url);
		}
	}
	return OK;
}
