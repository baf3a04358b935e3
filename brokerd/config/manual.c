/* manual.c - the tables, as a page that scdoc reads. */
#include <inttypes.h>

#include "brokerd/config/builtin.h"
#include "brokerd/config/keys.h"

/* Text with its *bold* kept, and its underscores as they are, by which scdoc underlines; a * between spaces is one too. */
static void put_text(struct buf *out, const char *text)
{
	for (const char *at = text; *at; at++) {
		const bool is_alone =
			*at == '*' && at > text && at[-1] == ' ' && (at[1] == ' ' || at[1] == '\n');
		if (*at == '_' || is_alone)
			buf_byte(out, '\\');
		buf_byte(out, *at);
	}
}

static void put_words(struct buf *out, const char *words)
{
	struct span rest = span_str(words);
	while (span_is_set(rest)) {
		const struct span word = span_cut(&rest, '|');
		buf_byte(out, '*');
		for (size_t i = 0; i < word.n; i++) {
			if (word.p[i] == '_')
				buf_byte(out, '\\');
			buf_byte(out, word.p[i]);
		}
		buf_text(out, span_is_set(rest) ? "*, " : "*");
	}
}

/* What may stand behind the = sign. */
static void put_kind(struct buf *out, const struct key *k)
{
	switch (k->kind) {
	case KEY_WORD:
		put_words(out, k->words);
		break;
	case KEY_BOOL:
		buf_text(out, "*yes*, *no*");
		break;
	case KEY_COUNT:
		buf_print(out, "_number_ (%" PRId64 " to %" PRId64 ")", k->min, k->max);
		break;
	case KEY_DURATION:
		buf_text(out, k->min == 0 || k->words ? "_time_, *never*" : "_time_");
		break;
	case KEY_PRICE:
		buf_text(out, "_dollars_");
		break;
	case KEY_PATH:
		buf_text(out, "_path_");
		break;
	case KEY_URL:
		buf_text(out, "_address_");
		break;
	case KEY_NAME:
		buf_text(out, "_name_");
		break;
	case KEY_TEXT:
		buf_text(out, "_text_");
		break;
	case KEY_AUTH:
		buf_text(out, "*bearer*, *header:*_NAME_, *sigv4*, *google*, *entra*, *none*");
		break;
	case KEY_DIALECT:
		buf_text(out, "_family_ [_path_]");
		break;
	case KEY_TARGET:
		buf_text(out, "_PROVIDER/MODEL_ [_word_=_value_ ...]");
		break;
	case KEY_FALLBACK:
		buf_text(out, "_PROVIDER/MODEL_");
		break;
	case KEY_LABEL:
		buf_text(out, "_LABEL_ [*weight=*_number_] [*model=*_pattern_,...]");
		break;
	case KEY_HEDGE:
		buf_text(out, "_time_, *p95*, *never*");
		break;
	case KEY_MIN_RATE:
		buf_text(out, "_number_/*s*, *never*");
		break;
	case KEY_HEADER:
		buf_text(out, "_NAME_: _value_");
		break;
	case KEY_MONEY:
		buf_text(out, "_dollars_");
		break;
	case KEY_BITS:
	case KEY_RANK:
		put_words(out, k->words);
		break;
	case KEY_PATTERNS:
		buf_text(out, "_pattern_");
		break;
	case KEY_USERS:
		buf_text(out, "_user_");
		break;
	case KEY_NATIVE:
		buf_text(out, "_PROVIDER_ _METHODS_ _PATH_");
		break;
	case KEY_EITHER:
		put_words(out, k->words);
		break;
	case KEY_RATE:
		buf_text(out, "_number_/_time_");
		break;
	case KEY_BUDGET:
	case KEY_SOFT:
		buf_text(out, "_dollars_/*hour*, *day*, *week*, *month*");
		break;
	case KEY_ZONE:
		buf_text(out, "_zone_");
		break;
	case KEY_MODEL:
		buf_text(out, "_NAME_, _PROVIDER/MODEL_");
		break;
	case KEY_COSINE:
		buf_text(out, "_number_ (0.0001 to 1), *never*");
		break;
	case KEY_SOURCE:
		buf_text(out, "*command:* _path_ ..., *file:* _path_, *credential:* _NAME_");
		break;
	}
}

static void put_key(struct buf *out, const struct key *k)
{
	buf_byte(out, '*');
	put_text(out, k->name);
	buf_text(out, "* = ");
	put_kind(out, k);
	buf_text(out, "\n\t");
	put_text(out, k->help);
	if (*k->preset) {
		buf_text(out, " Default: *");
		put_text(out, k->preset);
		buf_text(out, "*.");
	}
	buf_text(out, "\n\n");
}

static void put_trait(struct buf *out, const struct trait *t)
{
	buf_byte(out, '*');
	put_text(out, t->name);
	buf_text(out, "* = ");
	switch (t->kind) {
	case TRAIT_BOOL:
		buf_text(out, "*yes*, *no*");
		break;
	case TRAIT_COUNT:
		buf_text(out, "_number_");
		break;
	case TRAIT_TEXT:
	case TRAIT_SCOPE:
	case TRAIT_HOST:
		buf_text(out, "_text_");
		break;
	case TRAIT_CHOICE:
	case TRAIT_WORD:
	case TRAIT_LIST:
	case TRAIT_OPS:
		put_words(out, t->words);
		break;
	}
	buf_text(out, "\n\t");
	put_text(out, t->help);
	buf_text(out, "\n\n");
}

static void put_traits(struct buf *out)
{
	size_t n;
	const struct trait *traits = traits_table(&n);
	buf_text(out, "# TRAITS\n\n"
		      "These may stand in a [provider] section, for all its models, and in a "
		      "[model] section, for that one, or for all whose names begin as its name "
		      "before the \\*. What a section does not say is as the built-in tables have "
		      "it.\n\n");
	for (size_t i = 0; i < n; i++)
		put_trait(out, &traits[i]);
}

static void put_section(struct buf *out, const struct section *s)
{
	size_t n;
	const struct key *keys = keys_table(&n);
	buf_print(out, "# THE SECTION [%s%s%s%s]\n\n", s->word, s->name ? " \"" : "",
		s->name ? s->name : "", s->name ? "\"" : "");
	put_text(out, s->help);
	buf_text(out, "\n\n");
	for (size_t i = 0; i < n; i++) {
		if (strcmp(keys[i].section, s->word) == 0)
			put_key(out, &keys[i]);
	}
}

static void put_rows(struct buf *out)
{
	size_t n;
	const struct builtin *rows = builtin_rows(&n);
	buf_text(out,
		"# BUILT-IN PROVIDERS\n\n"
		"These need no section, only a key. A section of the same name changes what it "
		"says, and nothing else.\n\n");
	for (size_t i = 0; i < n; i++) {
		buf_text(out, "*");
		put_text(out, rows[i].name);
		buf_text(out, "*\n\t");
		put_text(out, *rows[i].base_url ? rows[i].base_url : "answers by itself");
		if (*rows[i].model) {
			buf_text(out, ", model *");
			put_text(out, rows[i].model);
			buf_text(out, "*");
		}
		buf_text(out, "\n\n");
	}
}

/* clang-format off */
static const char head[] =
	"llm-broker.conf(5)\n\n"
	"; Written by `make manual` from the tables in brokerd/config: change it there.\n\n"
	"# NAME\n\n"
	"llm-broker.conf - what llm-brokerd is told: broker.conf\n\n"
	"# SYNOPSIS\n\n"
	"_/etc/llm-broker/broker.conf_, _/etc/llm-broker/broker.conf.d/\\*.conf_\n\n"
	"_~/.config/llm-broker/broker.conf_, _~/.config/llm-broker/broker.conf.d/\\*.conf_\n\n"
	"# DESCRIPTION\n\n"
	"None of it is needed: without a file the built-in providers are there, and wait for keys "
	"(*llmb key add*). The first two are the system's broker's, and of one that root starts; the "
	"others are a user's own, below _$XDG_CONFIG_HOME_ where that is set. *--config* of "
	"*llm-brokerd*(8) names another.\n\n"
	"A line is a comment (*#* or *;* at its start), a section in brackets, or *key = value*. A value is "
	"the rest of its line; it has no quotes, and no comment behind it. An unknown section or key, a bad "
	"value, and a key given twice are errors, and then nothing of the file holds.\n\n"
	"Beside *broker.conf* the files of *broker.conf.d* that end in *.conf* are read, in the order of "
	"their names. A section may be in several files: a key of a later one takes the place of an earlier "
	"one's, and a list (a key that may repeat) that of the whole earlier list. A file that others than "
	"root and the broker's user own or may write is not read.\n\n"
	"Times are written with their unit: 250ms, 30s, 5m, 2h, 7d.\n\n"
	"*llmb config check* (or *llm-brokerd --check*) says what is wrong, and in which line. *llmb config "
	"reload*, SIGHUP, or *systemctl reload llm-broker* reads it anew: where it is bad, what was there "
	"before still holds. A broker that starts with a bad file serves nobody, and tells every caller why.\n\n";

static const char tail[] =
	"# FILES\n\n"
	"_/etc/llm-broker/broker.conf_, _/etc/llm-broker/broker.conf.d/\\*.conf_\n"
	"\tof the system's broker\n\n"
	"_~/.config/llm-broker/broker.conf_, _~/.config/llm-broker/broker.conf.d/\\*.conf_\n"
	"\tof a user's own\n\n"
	"_limits_ in the state folder\n"
	"\twhat *llmb budget set* has written; it stands beside the [limit] sections\n\n"
	"# EXAMPLES\n\n"
	"A server of one's own, and an alias that goes on elsewhere:\n\n"
	"```\n"
	"[provider \"local\"]\n"
	"dialect = openai-chat /v1/chat/completions\n"
	"base_url = http://127.0.0.1:8080\n"
	"auth = none\n"
	"local = yes\n"
	"allow_plain_loopback = yes\n"
	"\n"
	"[model \"default\"]\n"
	"target = local/qwen3\n"
	"target = openai/gpt-4o-mini\n"
	"```\n\n"
	"What agents may spend, and what a Flatpak may ask:\n\n"
	"```\n"
	"[limit \"agents\"]\n"
	"app = agent-*\n"
	"budget = 20/week\n"
	"concurrency = 4\n"
	"\n"
	"[policy \"builder\"]\n"
	"kind = flatpak\n"
	"name = org.gnome.Builder\n"
	"operation = use\n"
	"model = anthropic/*\n"
	"max_cost = 0.05\n"
	"```\n\n"
	"# SECURITY\n\n"
	"No key of a provider belongs here: keys are in the vault (*llmb key add*), or *key\\_source* says which "
	"other manager has them. A [policy] section is all that its callers may: the first that fits holds, "
	"and one for programs of yours wants *operation = \\**, or *llmb* itself can no longer look after the broker. "
	"*local = yes* lets a provider be on this machine or its network; *allow\\_plain\\_loopback* lets "
	"requests and keys go there unencrypted.\n\n"
	"# SEE ALSO\n\n"
	"*llm-brokerd*(8), *llmb*(1), *llmb-cache*(1), *llm-broker-protocol*(7)\n";
/* clang-format on */

void config_manual(struct buf *out)
{
	size_t n;
	const struct section *sections = keys_sections(&n);
	buf_text(out, head);
	for (size_t i = 0; i < n; i++)
		put_section(out, &sections[i]);
	put_traits(out);
	put_rows(out);
	buf_text(out, tail);
}
