/* carry.c - {"llmb":1,"family":...,"model":...,"data":...} in base64. */
#include "brokerd/dialect/carry.h"

#include "brokerd/dialect/base64.h"
#include "protocol/limits.h"

/* base64 of the first six bytes of the object */
#define MARK   "eyJsbG1i"
#define MEMBER "llmb"

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

bool carry_read(struct span text, struct arena *a, struct opaque *out)
{
	OWNED(buf_done) struct buf bytes = BUF_INIT(LIMIT_BODY_BYTES);
	struct json v;
	struct span copy;
	int64_t version;
	if (!span_starts(text, SPAN(MARK)) || !base64_decode(text, &bytes) ||
		json_scan(buf_view(&bytes), JSON_STRICT, &v, NULL) ||
		!json_i64(json_member(v, MEMBER), &version) || version != 1 ||
		arena_dup(a, v.text, &copy))
		return false;
	v.text = copy;
	*out = (struct opaque){.data = json_member(v, "data").text};
	return json_text(json_member(v, "family"), a, &out->family) == OK &&
	       json_text(json_member(v, "model"), a, &out->model) == OK &&
	       span_is_set(out->family) && span_is_set(out->data);
}
