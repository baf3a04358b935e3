/* errors.h - what does a provider's error mean in our terms?
 * One reader for every shape of error body, one order of judging: the host's own table (host_errors.h),
 * then the family's, then wording, then the status. No I/O. */
#ifndef BROKERD_DIALECT_ERRORS_H
#define BROKERD_DIALECT_ERRORS_H
#include "brokerd/value/http.h"
#include "brokerd/value/target.h"
#include "protocol/base/json.h"

/* What an error body says, wherever it says it; "" where it does not. */
struct error_body {
	char message[2048], type[96], code[96], inner_code[96], param[128], request_id[64];
	char source[96]; /* which of its bounds a host holds against us */
	char more[1024]; /* what else it says, as it says it: to be searched, not shown */
	int64_t status;  /* a 4xx or 5xx that the body itself names; 0: none */
	int64_t wait_ms; /* that the body asks for; -1: it does not */
	bool is_json, is_html;
};

/* Reads a whole error reply: JSON of any known shape, HTML (its title), else plain text. */
void error_read(struct span body, struct error_body *out);

/* The same of a scanned document, or of an error object inside one. */
void error_read_json(struct json v, struct error_body *out);

/* A row of a family's table. The first that fits wins; what it leaves out fits all. One that says no
 * more than "invalid request" yields to wording that the request is too long. */
struct error_rule {
	int status;          /* 0: any */
	const char *code;    /* the body's code or inner code, without case */
	const char *type;    /* the body's type, without case */
	const char *message; /* a part of the message, in lower case */
	enum err class;
	const char *sub; /* the code of our own that it gets; NULL: the provider's */
};

/* Judges a reply of status >= 300. `rules` ends with a row of class OK. Never fails. */
void error_explain(const struct http_reply *reply, const struct target *target,
	const struct error_rule *rules, struct fault *out);

/* Judges an error that came inside a reply of status 200: the status is the one that it names, else
 * what its type stands for. Returns the class. */
enum err error_inside(
	const struct error_body *body, const struct error_rule *rules, struct fault *out);

/* The same, by the table of a host first: its name, or what its trait `errors` says. */
enum err error_inside_of(struct span host, const struct error_body *body,
	const struct error_rule *rules, struct fault *out);

/* Copies a provider's sentence into `field`, with what looks like a key made unreadable: a provider
 * may repeat the one it refused. */
void error_redact(char *field, size_t size, struct span text);

#endif
