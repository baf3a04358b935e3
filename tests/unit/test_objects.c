/* test_objects.c - which failures may be about what a request names? */
#include "brokerd/exchange/objects.h"
#include "tests/lib/tap.h"

#define TEXT(literal)                           \
	{                                       \
		"" literal, sizeof(literal) - 1 \
	}

static struct extra_member text = {.name = TEXT("prompt"), .json = TEXT(" \"p_1\"")};
static struct extra_member list = {.name = TEXT("tools"), .json = TEXT("[\"a\"]")};
static struct extra_member number = {.name = TEXT("top_a"), .json = TEXT("0.5")};
static struct part plain = {.type = PART_TEXT, .text = TEXT("file_1")};
static struct part bytes = {.type = PART_IMAGE, .media = {.data = TEXT("abc")}};
static struct part file = {.type = PART_FILE, .media = {.file_id = TEXT("file_1")}};
static struct part address = {.type = PART_IMAGE, .media = {.url = TEXT("gs://a/b")}};
static struct part sealed = {.type = PART_REASONING, .opaque = {.data = TEXT("{}")}};
static struct tool function = {.type = TOOL_FUNCTION, .name = TEXT("f")};
static struct tool theirs = {.type = TOOL_PROVIDER, .raw = TEXT("{}")};

#define SAYS(part) \
	(&(struct message){.role = ROLE_USER, .parts = (part), .n_parts = 1}), .n_messages = 1

static void test_requests(void)
{
	/* clang-format off */
	const struct {
		const char *name;
		struct llm_request request;
		bool names;
	} cases[] = {
		{"nothing",           {.is_stream = true},                        false},
		{"a text",            {.messages = SAYS(&plain)},                 false},
		{"a picture's bytes", {.messages = SAYS(&bytes)},                 false},
		{"a number",          {.extra = {.members = &number, .n = 1}},    false},
		{"a function",        {.tools = &function, .n_tools = 1},         false},
		{"a file",            {.messages = SAYS(&file)},                  true },
		{"an address",        {.messages = SAYS(&address)},               true },
		{"sealed reasoning",  {.messages = SAYS(&sealed)},                true },
		{"a member",          {.extra = {.members = &text, .n = 1}},      true },
		{"a list",            {.extra = {.members = &list, .n = 1}},      true },
		{"a provider's tool", {.tools = &theirs, .n_tools = 1},           true },
		{"an input",          {.inputs = &file, .n_inputs = 1},           true },
		{"a voice",           {.audio_voice = TEXT("v")},            true },
		{"a tier",            {.service_tier = TEXT("priority")},    true },
	};
	/* clang-format on */
	const struct fault why = {.err = ERR_NOT_FOUND, .http_status = 404};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		ok(objects_may_be_meant(&cases[i].request, &why) == cases[i].names, "%s",
			cases[i].name);
}

static void test_failures(void)
{
	/* clang-format off */
	static const struct {
		const char *name;
		struct fault why;
		bool may_be;
	} cases[] = {
		{"not found",             {.err = ERR_NOT_FOUND, .http_status = 404},                            true },
		{"with a word for that",  {.err = ERR_NOT_FOUND, .http_status = 404, .code = "not_found_error"}, true },
		{"not allowed",           {.err = ERR_PERMISSION, .http_status = 403},                           true },
		{"what it leans on",      {.err = ERR_SERVER_ERROR, .http_status = 424},                         true },
		{"the model",             {.err = ERR_NOT_FOUND, .http_status = 404, .code = "model_not_found"}, false},
		{"the address",           {.err = ERR_NOT_FOUND, .http_status = 404, .code = "endpoint"},        false},
		{"the account's place",   {.err = ERR_PERMISSION, .http_status = 403,
			.code = "unsupported_country_region_territory"},                                             false},
		{"the key",               {.err = ERR_AUTH, .http_status = 401},                                 false},
		{"the host",              {.err = ERR_SERVER_ERROR, .http_status = 500},                         false},
		{"no failure",            {.err = OK, .http_status = 0},                                         false},
	};
	/* clang-format on */
	const struct llm_request r = {.messages = SAYS(&file)};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		ok(objects_may_be_meant(&r, &cases[i].why) == cases[i].may_be, "%s", cases[i].name);
}

int main(void)
{
	test_requests();
	test_failures();
	return tap_done();
}
