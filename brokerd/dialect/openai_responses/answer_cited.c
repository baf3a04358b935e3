/* answer_cited.c - what do citations become for callers of this family? Its own stay as they are; of other
 * families' those are told that say an address. */
#include "brokerd/dialect/openai_responses/answer.h"
#include "brokerd/dialect/pick.h"

bool responses_is_annotation(struct json citation)
{
	static const struct {
		const char *type, *member;
	} kinds[] = {
		{"url_citation",            "url"    },
		{"file_citation",           "file_id"},
		{"container_file_citation", "file_id"},
		{"file_path",               "file_id"},
	};
	const struct json type = json_member(citation, "type");
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (json_is(type, kinds[i].type))
			return json_kind(json_member(citation, kinds[i].member)) == JSON_STRING;
	}
	return false;
}

/* The object that has the address: the citation itself, or inside of it, as chat and Bedrock have it. */
static struct json place_of(struct json citation)
{
	static const char *const names[] = {"url", "url_citation", "location"};
	struct json m[COUNT_OF(names)];
	PICK(citation, names, m);
	if (json_kind(m[0]) == JSON_STRING)
		return citation;
	return json_kind(m[1]) == JSON_OBJECT ? m[1] : json_member(m[2], "web");
}

static int64_t index_or(struct json v, int64_t otherwise)
{
	int64_t index;
	return json_i64(v, &index) && index >= 0 ? index : otherwise;
}

bool answer_put_citation(struct json citation, int64_t from, int64_t to, struct json_out *o)
{
	static const char *const names[] = {"url", "title", "start_index", "end_index"};
	struct json m[COUNT_OF(names)];
	if (responses_is_annotation(citation)) {
		json_put_raw(o, citation.text);
		return true;
	}
	PICK(place_of(citation), names, m);
	const struct json url = json_kind(citation) == JSON_STRING ? citation : m[0];
	const struct json title =
		json_kind(m[1]) == JSON_STRING ? m[1] : json_member(citation, "title");
	if (json_kind(url) != JSON_STRING)
		return false;
	json_open(o, '{');
	json_pair_str(o, "type", SPAN("url_citation"));
	json_pair_i64(o, "start_index", index_or(m[2], from));
	json_pair_i64(o, "end_index", index_or(m[3], to));
	json_pair_raw(o, "url", url.text);
	json_pair_raw(o, "title", json_kind(title) == JSON_STRING ? title.text : SPAN("\"\""));
	json_close(o, '}');
	return true;
}
