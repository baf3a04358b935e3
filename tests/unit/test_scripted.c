/* test_scripted.c - can a test play the provider, in virtual time? */
#include <sodium.h>
#include <stdio.h>

#include "tests/lib/loop_virtual.h"
#include "tests/lib/tap.h"
#include "tests/lib/transport_scripted.h"

#define MS INT64_C(1000)

static struct loop *loop;
static struct transport *transport;
static struct secret *key;

struct asker {
	struct transfer *transfer;
	int status, n_ends;
	char field[32], body[128];
	struct transfer_end end;
	bool cancels; /* at the first bytes */
};

static void on_head(void *context, const struct http_head *head)
{
	struct asker *a = context;
	a->status = head->status;
	snprintf(a->field, sizeof a->field, "%.*s", SPAN_ARG(http_head_get(head, "retry-after")));
}

static void on_body(void *context, struct span bytes)
{
	struct asker *a = context;
	const size_t n = strlen(a->body);
	snprintf(a->body + n, sizeof a->body - n, "%.*s", SPAN_ARG(bytes));
	if (a->cancels)
		transfer_cancel(a->transfer, &a->end);
}

static void on_end(void *context, const struct transfer_end *end)
{
	struct asker *a = context;
	a->n_ends++;
	a->end = *end;
}

static enum err ask(struct asker *a, const char *url, struct fault *why)
{
	static const struct transfer_limits limits = {.connect_us = 100 * MS,
		.first_byte_us = 60000 * MS,
		.idle_us = 1000 * MS,
		.total_us = 600000 * MS};
	static const struct target target = {
		.provider = {"test", 4},
                  .model = {"m-1",  3},
                  .auth = AUTH_BEARER
        };
	struct http_request request = {
		.method = SPAN("POST"), .url = span_str(url), .body = SPAN("{}")};
	const struct transfer_events events = {on_head, on_body, on_end, a};
	if (!http_request_header(&request, SPAN("Content-Type"), SPAN("application/json")))
		bail("no header");
	return transport_start(
		transport, &request, &target, key, &limits, &events, &a->transfer, why);
}

#define URL "https://api.example.com/v1/chat"

static struct scripted *begin(struct asker *a)
{
	*a = (struct asker){.cancels = a->cancels, .end = {.why = FAULT_NONE}};
	if (ask(a, URL, NULL))
		bail("not started");
	return scripted_last();
}

static void an_answer(void)
{
	struct asker a = {0};
	struct scripted *s = begin(&a);
	is_str(s->method, "POST", "what was sent can be seen: method");
	is_str(s->url, URL, "URL");
	is_str(s->headers, "Content-Type: application/json\n", "headers");
	is_mem(s->body.p, s->body.n, "{}", 2, "body");
	is_str(s->provider, "test", "provider");
	is_str(s->model, "m-1", "model");
	ok(s->has_secret, "and that there was a key");
	loop_virtual_advance(loop, 20 * MS);
	scripted_head(s, 429, "retry-after: 7\nx: y\n");
	scripted_text(s, "hel");
	scripted_text(s, "lo");
	is_int(a.status, 429, "the head comes");
	is_str(a.field, "7", "with its fields");
	is_str(a.body, "hello", "the body comes");
	is_uint(transport_active(transport), 1, "it is under way");
	scripted_end(s);
	is_int(a.n_ends, 1, "the end comes");
	is_err(a.end.err, OK, "a good one");
	is_int(a.end.first_byte_us, 20 * MS, "timed");
	is_int(a.end.received_bytes, 5, "and counted");
	ok(s->is_over, "it is over");
	is_uint(transport_active(transport), 0, "nothing is under way");
	is_str(s->url, URL, "and can still be looked at");
}

static void ends(void)
{
	static const struct {
		const char *name, *steps; /* c s h, then b(reak) n(onsense) or silence */
		enum err err;
		const char *code;
	} rows[] = {
		{"silence before a connection", "",   ERR_TIMEOUT,         "connect"   },
		{"silence while sending",       "c",  ERR_TIMEOUT,         "send"      },
		{"silence after the body",      "s",  ERR_OUTCOME_UNKNOWN, "first_byte"},
		{"silence after the head",      "h",  ERR_TIMEOUT,         "idle"      },
		{"no connection",               "b",  ERR_CONNECTION,      "connect"   },
		{"broken while sending",        "cb", ERR_CONNECTION,      "send"      },
		{"broken after the body",       "sb", ERR_OUTCOME_UNKNOWN, "first_byte"},
		{"broken after the head",       "hb", ERR_CONNECTION,      "body"      },
		{"no HTTP",                     "n",  ERR_SERVER_ERROR,    "first_byte"},
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct asker a = {0};
		struct scripted *s = begin(&a);
		for (const char *p = rows[i].steps; *p; p++) {
			if (*p == 'c')
				scripted_connected(s);
			else if (*p == 's')
				scripted_sent(s);
			else if (*p == 'h')
				scripted_head(s, 200, "");
			else if (*p == 'b')
				scripted_break(s);
			else
				scripted_nonsense(s);
		}
		loop_virtual_advance(loop, 3600000 * MS);
		is_int(a.n_ends, 1, "%s: ends once", rows[i].name);
		is_err(a.end.err, rows[i].err, "%s: as for real", rows[i].name);
		is_str(a.end.why.code, rows[i].code, "%s: with its code", rows[i].name);
	}
	is_uint(loop_virtual_timers(loop), 0, "no timer is left");
}

static void pauses_and_cancels(void)
{
	struct asker a = {0};
	struct scripted *s = begin(&a);
	scripted_head(s, 200, "");
	transfer_pause(a.transfer);
	ok(s->is_paused, "a pause can be seen");
	scripted_text(s, "late");
	scripted_end(s);
	loop_virtual_advance(loop, 100000 * MS);
	is_str(a.body, "", "paused, nothing comes");
	is_int(a.n_ends, 0, "not even the end");
	transfer_resume(a.transfer);
	is_str(a.body, "", "a resume hands out nothing by itself");
	loop_virtual_settle(loop);
	is_str(a.body, "late", "but soon");
	is_int(a.n_ends, 1, "and the end");

	a.cancels = true;
	s = begin(&a);
	scripted_head(s, 200, "");
	scripted_text(s, "one");
	ok(s->is_cancelled && s->is_over, "a cancel can be seen");
	is_int(a.n_ends, 0, "and tells nobody");
	is_err(a.end.err, ERR_CANCELLED, "but who asked");
	ok(a.end.has_sent_body, "that it had been sent");
}

static void refusals(void)
{
	struct asker a = {0};
	struct fault why;
	const size_t n = scripted_count();
	is_err(ask(&a, "https://evil.example.com/", &why), ERR_DENIED,
		"the wrong origin, as for real");
	is_err(ask(&a, "nonsense", &why), ERR_INVALID_ARGUMENT, "no URL, as for real");
	scripted_refuse(ERR_MISCONFIGURED, "no certificates");
	is_err(ask(&a, URL, &why), ERR_MISCONFIGURED, "what the test says");
	is_str(why.message, "no certificates", "in its words");
	is_uint(scripted_count(), n, "none of them began");
	begin(&a);
	is_uint(scripted_count(), n + 1, "and the next does");
}

int main(void)
{
	struct fault why = FAULT_NONE;
	if (sodium_init() < 0)
		bail("no libsodium");
	loop = loop_new(&why);
	struct workers *workers = workers_new(loop, 1, &why);
	transport = transport_new(loop, workers, &why);
	if (!transport)
		bail("%s", why.message);
	if (secret_new(SPAN("sk-1"), SPAN("https://api.example.com:443"), &key))
		bail("no secret");
	an_answer();
	ends();
	pauses_and_cancels();
	refusals();
	transport_free(transport); /* with one under way */
	secret_unref(key);
	workers_free(workers);
	loop_free(loop);
	return tap_done();
}
