/* carry.c - {"llmb":1,"family":...,"model":...,"data":...} in base64. */
#include "brokerd/dialect/carry.h"

#include "brokerd/dialect/base64.h"
#include "protocol/limits.h"

/* base64 of the first six bytes of the object */
#define MARK   "eyJsbG1i"
#define MEMBER "llmb"

const struct opaque carry_unsealed = {
	.family = {CARRY_UNSEALED, sizeof CARRY_UNSEALED - 1},
	.data = {"null",         4                        },
};

void carry_put(const struct opaque *o, struct json_out *to)
{
	OWNED(buf_done) struct buf json = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_out w = json_to(&json);
	json_open(&w, '{');
	json_pair_i64(&w, MEMBER, 1);
	json_pair_str(&w, "family", o->family);
	json_pair_str(&w, "model", o->model);
	json_pair_raw(&w, "data", o->data);
	json_close(&w, '}');
	if (buf_error(&json)) {
		to->to->err = to->to->err ? to->to->err : buf_error(&json);
		return;
	}
	json_put_base64(to, SPAN_NONE, buf_view(&json));
}

/* The text is the caller's, like any other: what is in it goes into a request again, so that it must hold
 * what a whole request must. */
bool carry_read(struct span text, struct arena *a, struct opaque *out)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	struct json_rules rules = JSON_STRICT;
	struct opaque item;
	struct json v;
	struct span copy;
	int64_t version;
	rules.has_unique_names = true;
	if (!span_starts(text, SPAN(MARK)) || !base64_decode(text, &bytes) ||
		json_scan(buf_view(&bytes), rules, &v, NULL) ||
		!json_i64(json_member(v, MEMBER), &version) || version != 1 ||
		arena_dup(a, v.text, &copy))
		return false;
	v.text = copy;
	item.data = json_member(v, "data").text;
	if (json_utf8(json_member(v, "family"), a, &item.family) ||
		json_utf8(json_member(v, "model"), a, &item.model) || item.family.n == 0 ||
		!span_is_set(item.data))
		return false;
	*out = item;
	return true;
}

bool carry_is_in(struct span body)
{
	return span_find(body, SPAN(MARK)) < body.n;
}
