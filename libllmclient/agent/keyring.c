/* keyring.c - a code of hexadecimal digits, stored, looked up, and wiped after each use. */
#include "libllmclient/agent/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libllmclient/agent/tool.h"
#include "protocol/base/buf.h"
#include "protocol/base/json.h"

#define CODE_BYTES 128
#define SECONDS    60 /* a keyring may have to be opened by its user */

static bool is_code(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char c = s.p[i];
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
			return false;
	}
	return s.n == 64;
}

static bool lookup(char *code, size_t size)
{
	static const char *const argv[] = {
		"secret-tool", "lookup", "application", "llm-broker", "purpose", "vault", NULL};
	return tool_run(argv, NULL, SECONDS, code, size) && is_code(span_str(code));
}

static bool store(const char *code)
{
	static const char *const argv[] = {"secret-tool", "store", "--label=llm-broker's vault",
		"application", "llm-broker", "purpose", "vault", NULL};
	char said[CODE_BYTES];
	return tool_run(argv, code, SECONDS, said, sizeof said);
}

/* The code of a new slot; false: there is none, and the client knows why. */
static bool add_slot(llm_client *c, struct buf *code)
{
	char *answer = llm_admin_call(c, "vault.slot.add", "{\"type\":\"agent\"}");
	struct json json;
	const bool is_good =
		answer && json_scan(span_str(answer), JSON_STRICT, &json, NULL) == OK &&
		json_text_to(json_member(json, "code"), code) && is_code(buf_view(code));
	if (answer)
		explicit_bzero(answer, strlen(answer));
	llm_free(answer);
	buf_byte(code, '\0');
	return is_good && !buf_error(code);
}

int keyring_enroll(llm_client *c)
{
	OWNED(buf_wipe) struct buf code = BUF_INIT(CODE_BYTES);
	char kept[CODE_BYTES];
	if (!buf_reserve(&code, CODE_BYTES) || !add_slot(c, &code)) {
		fprintf(stderr, "llm-broker-agent: %s\n", llm_error_message(llm_last_error(c)));
		return EXIT_FAILURE;
	}
	const bool is_kept =
		store(code.p) && lookup(kept, sizeof kept) && strcmp(kept, code.p) == 0;
	explicit_bzero(kept, sizeof kept);
	if (is_kept) {
		fputs("llm-broker-agent: the vault opens with your login from now on; `llmb vault "
		      "remove "
		      "agent` ends that\n",
			stderr);
		return EXIT_SUCCESS;
	}
	llm_free(llm_admin_call(c, "vault.slot.remove", "{\"type\":\"agent\"}"));
	fputs("llm-broker-agent: the Secret Service keeps nothing: is there one in this session, "
	      "and "
	      "secret-tool (libsecret-tools)? Nothing was changed\n",
		stderr);
	return EXIT_FAILURE;
}

static bool is_locked(llm_client *c)
{
	struct json json;
	char *answer = llm_admin_call(c, "vault.status", NULL);
	const bool is = answer && json_scan(span_str(answer), JSON_STRICT, &json, NULL) == OK &&
			json_is(json_member(json, "state"), "locked");
	llm_free(answer);
	return is;
}

void keyring_unlock(llm_client *c)
{
	char code[CODE_BYTES], body[CODE_BYTES + 32];
	if (!is_locked(c) || !lookup(code, sizeof code))
		return;
	(void)snprintf(body, sizeof body, "{\"agent\":\"%s\"}", code);
	char *answer = llm_admin_call(c, "vault.unlock", body);
	explicit_bzero(code, sizeof code);
	explicit_bzero(body, sizeof body);
	if (!answer)
		fprintf(stderr,
			"llm-broker-agent: the code of the Secret Service does not open the vault: "
			"%s\n",
			llm_error_message(llm_last_error(c)));
	llm_free(answer);
}
