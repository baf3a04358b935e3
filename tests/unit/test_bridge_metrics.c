/* test_bridge_metrics.c - is what the broker counts well written for a monitor? */
#include "libllmclient/bridge/metrics.h"

#include <stdio.h>

#include "tests/lib/tap.h"

#define HEAD(name, type) "# HELP " name " h\n# TYPE " name " " type "\n"
#define ONE(series)                                                                                \
	"{\"metrics\":[{\"name\":\"a\",\"type\":\"gauge\",\"help\":\"h\",\"series\":[" series "]}" \
	"]}"

/* clang-format off */
static const struct {
	const char *name, *json, *want;
} cases[] = {
	{"no families", "{\"metrics\":[]}", ""},
	{"a value without labels", ONE("{\"labels\":{},\"value\":12}"), HEAD("a", "gauge") "a 12\n"},
	{"numbers stay as they are", ONE("{\"labels\":{},\"value\":0.000000001}"), HEAD("a", "gauge") "a 0.000000001\n"},
	{"labels", ONE("{\"labels\":{\"b\":\"x\",\"c\":\"y z\"},\"value\":1}"), HEAD("a", "gauge") "a{b=\"x\",c=\"y z\"} 1\n"},
	{"what is escaped in a label", ONE("{\"labels\":{\"b\":\"q\\\"b\\\\n\\nt\\te\\u001b\"},\"value\":1}"),
		HEAD("a", "gauge") "a{b=\"q\\\"b\\\\n\\nt_e_\"} 1\n"},
	{"UTF-8", ONE("{\"labels\":{\"b\":\"\\u00fc\"},\"value\":1}"), HEAD("a", "gauge") "a{b=\"\xc3\xbc\"} 1\n"},
	{"what is no label's name", ONE("{\"labels\":{\"b c\":\"x\",\"1\":\"x\",\"d:e\":\"x\",\"\":\"x\",\"_f1\":\"y\"},\"value\":1}"),
		HEAD("a", "gauge") "a{_f1=\"y\"} 1\n"},
	{"what is no number", ONE("{\"labels\":{},\"value\":\"1\"},{\"labels\":{}}"), HEAD("a", "gauge")},
	{"a histogram",
		"{\"metrics\":[{\"name\":\"a:s\",\"type\":\"histogram\",\"help\":\"h\",\"bounds\":[0.01,1],\"series\":["
		"{\"labels\":{\"b\":\"x\"},\"buckets\":[1,2],\"sum\":3.5,\"count\":4},"
		"{\"labels\":{},\"buckets\":[0,0],\"sum\":0,\"count\":0}]}]}",
		HEAD("a:s", "histogram")
		"a:s_bucket{b=\"x\",le=\"0.01\"} 1\na:s_bucket{b=\"x\",le=\"1\"} 2\na:s_bucket{b=\"x\",le=\"+Inf\"} 4\n"
		"a:s_sum{b=\"x\"} 3.5\na:s_count{b=\"x\"} 4\n"
		"a:s_bucket{le=\"0.01\"} 0\na:s_bucket{le=\"1\"} 0\na:s_bucket{le=\"+Inf\"} 0\na:s_sum 0\na:s_count 0\n"},
	{"a help of two lines", "{\"metrics\":[{\"name\":\"a\",\"type\":\"gauge\",\"help\":\"x\\n\\\"y\\\\\",\"series\":[]}]}",
		"# HELP a x\\n\"y\\\\\n# TYPE a gauge\n"},
	{"what is no metric's name", "{\"metrics\":[{\"name\":\"a b\",\"type\":\"gauge\",\"help\":\"h\",\"series\":[]}]}", ""},
};
/* clang-format on */

static const char *const malformed[] = {
	"", "{", "[]", "{}", "{\"metrics\":{}}", "{\"metrics\":[]} x"};

int main(void)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(65536);
		is_int(metrics_write(span_str(cases[i].json), &out), OK, "%s: it is",
			cases[i].name);
		buf_byte(&out, '\0');
		is_str(out.p, cases[i].want, "%s", cases[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(malformed); i++) {
		OWNED(buf_done) struct buf out = BUF_INIT(65536);
		is_int(metrics_write(span_str(malformed[i]), &out), ERR_MALFORMED, "no answer: %s",
			malformed[i]);
	}
	OWNED(buf_done) struct buf little = BUF_INIT(8);
	ok(metrics_write(span_str(cases[1].json), &little) != OK, "no room is a failure");
	return tap_done();
}
