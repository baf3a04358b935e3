/* main.c - waits for the broker's questions, asks a person, and takes the answers back. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libllmclient/agent/ask.h"
#include "libllmclient/agent/keyring.h"
#include "llmclient.h"
#include "protocol/base/num.h"

#define EXIT_USAGE   2
#define COLUMN       18 /* where what an option does begins */
#define BODY_BYTES   ((size_t)4096)
#define PAUSE_MOST_S 30 /* between tries to reach a broker */
#define WAIT_MS      60000

struct options {
	const char *socket, *only;
	bool is_terminal, is_enrolling;
	int ready; /* a descriptor that is told once that we wait for questions; -1: none */
};

static const char usage_head[] =
	"llm-broker-agent: asks you when a program wants to use language models for the first "
	"time\n"
	"\n"
	"  llm-broker-agent [--terminal] [--only WHO] [--socket PATH]\n"
	"\n";

static const char usage_tail[] =
	"\n"
	"It stays until it is stopped. Where none runs, such programs are refused.\n";

#define OPTIONS_DEF "libllmclient/agent/options.def"
#include "protocol/base/options_table.def"

static void print_usage(void)
{
	fputs(usage_head, stdout);
	print_options(COLUMN);
	fputs(usage_tail, stdout);
}

/* {"id":..,"allow":..,...}; false: there is nothing to say. */
static bool put_answer(struct json question, enum reply reply, struct buf *out)
{
	struct json_out o = json_to(out);
	int64_t id;
	if (!json_i64(json_member(question, "id"), &id))
		return false;
	json_open(&o, '{');
	json_pair_i64(&o, "id", id);
	json_pair_bool(&o, "allow", reply == REPLY_YES || reply == REPLY_SESSION);
	if (reply == REPLY_NONE)
		json_pair_bool(&o, "dismiss", true);
	json_pair_bool(&o, "session", reply != REPLY_YES);
	if (reply != REPLY_YES)
		json_pair_i64(&o, "for_s", 0);
	json_close(&o, '}');
	buf_byte(out, '\0');
	return !buf_error(out);
}

static void tell(llm_client *c, struct json question, enum reply reply)
{
	OWNED(buf_done) struct buf body = BUF_INIT(BODY_BYTES);
	if (!put_answer(question, reply, &body))
		return;
	char *answer = llm_admin_call(c, "consent.answer", body.p);
	if (!answer)
		fprintf(stderr, "llm-broker-agent: %s\n", llm_error_message(llm_last_error(c)));
	llm_free(answer);
}

static void ask(llm_client *c, const struct options *o, struct json question)
{
	struct asked asked;
	if (json_kind(json_member(question, "id")) != JSON_NUMBER)
		return; /* nobody wants to know anything */
	asked_init(&asked, question);
	tell(c, question, o->is_terminal ? ask_terminal(&asked) : ask_desktop(&asked));
	asked_done(&asked);
}

static bool put_wait(const struct options *o, struct buf *out)
{
	struct json_out j = json_to(out);
	json_open(&j, '{');
	json_pair_i64(&j, "wait_ms", WAIT_MS);
	if (o->only)
		json_pair_str(&j, "only", span_str(o->only));
	json_close(&j, '}');
	buf_byte(out, '\0');
	return !buf_error(out);
}

/* Whoever started us waits for it: once, when the broker is there and is about to be asked for questions. */
static void say_ready(llm_client *c, struct options *o)
{
	if (o->ready < 0 || llm_client_connect(c) != LLM_OK)
		return;
	while (write(o->ready, "", 1) < 0 && errno == EINTR)
		continue;
	close(o->ready);
	o->ready = -1;
}

/* One question after the other. Returns when the broker is gone: true if it was there. */
static bool serve(llm_client *c, struct options *o)
{
	OWNED(buf_done) struct buf wait = BUF_INIT(BODY_BYTES);
	bool was_there = false;
	char *answer;
	struct json question;
	if (!put_wait(o, &wait))
		return false;
	if (!o->only) /* the broker has just been started, or we have: who locked it since wants it so */
		keyring_unlock(c);
	say_ready(c, o);
	while ((answer = llm_admin_call(c, "consent.next", wait.p))) {
		was_there = true;
		if (json_scan(span_str(answer), JSON_STRICT, &question, NULL) == OK)
			ask(c, o, question);
		llm_free(answer);
	}
	return was_there;
}

/* Refused for good: there is no use in trying again. */
static bool is_final(int code)
{
	return code == LLM_E_DENIED || code == LLM_E_CONSENT || code == LLM_E_UNSUPPORTED;
}

static llm_client *new_client(const struct options *o)
{
	llm_options options = LLM_OPTIONS_INIT;
	options.socket_path = o->socket;
	options.app_name = "llm-broker-agent";
	options.flags = LLM_F_NO_AUTOSTART;
	llm_client *c = llm_client_new(&options);
	if (!c)
		fputs("llm-broker-agent: out of memory\n", stderr);
	return c;
}

static int enroll(const struct options *o)
{
	llm_client *c = new_client(o);
	const int status = c ? keyring_enroll(c) : EXIT_FAILURE;
	llm_client_free(c);
	return status;
}

static int run(struct options *o)
{
	bool is_told = false;
	for (unsigned pause_s = 1;;
		pause_s = pause_s * 2 > PAUSE_MOST_S ? PAUSE_MOST_S : pause_s * 2) {
		llm_client *c = new_client(o);
		if (!c)
			return EXIT_FAILURE;
		if (serve(c, o))
			pause_s = 1;
		const int code = llm_error_code(llm_last_error(c));
		if (is_final(code)) {
			fprintf(stderr, "llm-broker-agent: %s\n",
				llm_error_message(llm_last_error(c)));
			llm_client_free(c);
			return EXIT_FAILURE;
		}
		if (code == LLM_E_UNREACHABLE && !is_told) {
			fprintf(stderr, "llm-broker-agent: %s; waiting for a broker\n",
				llm_error_message(llm_last_error(c)));
			is_told = true;
		}
		llm_client_free(c);
		nanosleep(&(struct timespec){.tv_sec = (time_t)pause_s}, NULL);
	}
}

static bool read_descriptor(const char *text, int *to)
{
	int64_t v;
	if (!num_i64(span_str(text), &v) || v < 0 || v > INT32_MAX)
		return false;
	*to = (int)v;
	return true;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	int which;
	while ((which = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (which) {
		case TERMINAL:
			o->is_terminal = true;
			break;
		case ONLY:
			o->only = optarg;
			break;
		case ENROLL:
			o->is_enrolling = true;
			break;
		case SOCKET:
			o->socket = optarg;
			break;
		case READY_FD:
			if (!read_descriptor(optarg, &o->ready)) {
				fputs("llm-broker-agent: --ready-fd wants a number\n", stderr);
				return EXIT_USAGE;
			}
			break;
		case VERSION:
			puts("llm-broker-agent " LLM_BROKER_VERSION);
			return EXIT_SUCCESS;
		case 'h':
		case HELP:
			print_usage();
			return EXIT_SUCCESS;
		default:
			fputs("try `llm-broker-agent --help`\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "llm-broker-agent: what is \"%s\"? Try `llm-broker-agent --help`\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct options o = {.ready = -1};
	const int status = parse(argc, argv, &o);
	if (status >= 0)
		return status;
	if (o.is_enrolling)
		return enroll(&o);
	if (o.is_terminal && !ask_terminal_can()) {
		fprintf(stderr,
			"llm-broker-agent: there is no terminal to ask on: /dev/tty cannot be "
			"opened "
			"(%s)\n",
			strerror(errno));
		return EXIT_FAILURE;
	}
	if (!o.is_terminal && !ask_desktop_can()) {
		fputs("llm-broker-agent: there is no notify-send: install libnotify-bin, or ask "
		      "with "
		      "--terminal\n",
			stderr);
		return EXIT_FAILURE;
	}
	return run(&o);
}
