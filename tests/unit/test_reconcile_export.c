/* test_reconcile_export.c - what the cells of an export mean, and where they are. */
#include <inttypes.h>
#include <stdlib.h>

#include "libllmclient/cli/export.h"
#include "libllmclient/cli/zone.h"
#include "tests/lib/tap.h"

/* clang-format off */
static const struct {
	const char *text;
	enum amount_mark mark;
	int64_t want; /* INT64_MIN: refused */
} amounts[] = {
	{"1", AMOUNT_MARK_ANY, 1000000000},
	{"0.07", AMOUNT_MARK_ANY, 70000000},
	{".5", AMOUNT_MARK_ANY, 500000000},
	{"5.", AMOUNT_MARK_ANY, 5000000000},
	{"-1.5", AMOUNT_MARK_ANY, -1500000000},
	{"(2.50)", AMOUNT_MARK_ANY, -2500000000},
	{"$0.07", AMOUNT_MARK_ANY, 70000000},
	{"-$0.07", AMOUNT_MARK_ANY, -70000000},
	{"$-0.07", AMOUNT_MARK_ANY, -70000000},
	{"US$ 1.20", AMOUNT_MARK_ANY, 1200000000},
	{"1.20 USD", AMOUNT_MARK_ANY, 1200000000},
	{"1,234.56", AMOUNT_MARK_ANY, 1234560000000},
	{"1.234,56", AMOUNT_MARK_ANY, 1234560000000},
	{"1,234,567", AMOUNT_MARK_ANY, 1234567000000000},
	{"0,15", AMOUNT_MARK_ANY, 150000000},
	{"0,123", AMOUNT_MARK_ANY, 123000000},
	{"1,2345", AMOUNT_MARK_ANY, 1234500000},
	{"1.234", AMOUNT_MARK_ANY, 1234000000},
	{"1,234", AMOUNT_MARK_ANY, INT64_MIN},
	{"1,234", AMOUNT_MARK_POINT, 1234000000000},
	{"1,234", AMOUNT_MARK_COMMA, 1234000000},
	{"1.234", AMOUNT_MARK_COMMA, 1234000000000},
	{"1.5e-7", AMOUNT_MARK_ANY, 150},
	{"1E3", AMOUNT_MARK_ANY, 1000000000000},
	{"0.0000000005", AMOUNT_MARK_ANY, 1},
	{"0.00000000049", AMOUNT_MARK_ANY, 0},
	{"0.8958740000000000", AMOUNT_MARK_ANY, 895874000},
	{"12,34.5", AMOUNT_MARK_ANY, INT64_MIN},
	{"1.2.3", AMOUNT_MARK_ANY, INT64_MIN},
	{"", AMOUNT_MARK_ANY, INT64_MIN},
	{"-", AMOUNT_MARK_ANY, INT64_MIN},
	{"$", AMOUNT_MARK_ANY, INT64_MIN},
	{"abc", AMOUNT_MARK_ANY, INT64_MIN},
	{"1e", AMOUNT_MARK_ANY, INT64_MIN},
	{"12 34", AMOUNT_MARK_ANY, INT64_MIN},
	{"\xe2\x82\xac" "5", AMOUNT_MARK_ANY, INT64_MIN},
	{"5 EUR", AMOUNT_MARK_ANY, INT64_MIN},
	{"99999999999999", AMOUNT_MARK_ANY, INT64_MIN},
	{"1e300", AMOUNT_MARK_ANY, INT64_MIN},
	{"0x10", AMOUNT_MARK_ANY, INT64_MIN},
	{"nan", AMOUNT_MARK_ANY, INT64_MIN},
	{"+1.5", AMOUNT_MARK_ANY, 1500000000},
	{"(-1.50)", AMOUNT_MARK_ANY, INT64_MIN},
	{"(+1.50)", AMOUNT_MARK_ANY, INT64_MIN},
	{"($-1.50)", AMOUNT_MARK_ANY, INT64_MIN},
	{"-$-2.00", AMOUNT_MARK_ANY, INT64_MIN},
	{"+$-2.00", AMOUNT_MARK_ANY, INT64_MIN},
	{"--2.00", AMOUNT_MARK_ANY, INT64_MIN},
	{"($2.00)", AMOUNT_MARK_ANY, -2000000000},
};

static const struct {
	const char *text;
	enum day_form form;
	const char *want; /* NULL: refused */
} days[] = {
	{"2026-01-31", DAY_FORM_ANY, "2026-01-31"},
	{"2026-1-5", DAY_FORM_ANY, "2026-01-05"},
	{"2024-02-29", DAY_FORM_ANY, "2024-02-29"},
	{"2026-02-29", DAY_FORM_ANY, NULL},
	{"2026-13-01", DAY_FORM_ANY, NULL},
	{"2026-00-10", DAY_FORM_ANY, NULL},
	{"1969-12-31", DAY_FORM_ANY, NULL},
	{"2200-01-01", DAY_FORM_ANY, NULL},
	{"2026-01-31T23:30:00Z", DAY_FORM_ANY, "2026-01-31"},
	{"2026-01-31T23:30:00-02:00", DAY_FORM_ANY, "2026-02-01"},
	{"2026-02-01T01:30:00.123+0200", DAY_FORM_ANY, "2026-01-31"},
	{"2026-01-31 23:30:00 UTC", DAY_FORM_ANY, "2026-01-31"},
	{"2026-06-28 03:46:57.713", DAY_FORM_ANY, "2026-06-28"},
	{"2026-01-31T25:00:00Z", DAY_FORM_ANY, NULL},
	{"2026-01-31T10:00:00 nowhere", DAY_FORM_ANY, NULL},
	{"2026-01-31x", DAY_FORM_ANY, NULL},
	{"1759622400", DAY_FORM_ANY, "2025-10-05"},
	{"1759622400.5", DAY_FORM_ANY, "2025-10-05"},
	{"1759622400000", DAY_FORM_ANY, "2025-10-05"},
	{"0", DAY_FORM_UNIX, "1970-01-01"},
	{"99999999999999999999", DAY_FORM_UNIX, NULL},
	{"-5", DAY_FORM_UNIX, NULL},
	{"1/31/2026", DAY_FORM_ANY, NULL},
	{"1/31/2026", DAY_FORM_MDY, "2026-01-31"},
	{"31.1.2026", DAY_FORM_DMY, "2026-01-31"},
	{"31/1/2026", DAY_FORM_MDY, NULL},
	{"1/31/2026 10:00:00", DAY_FORM_MDY, "2026-01-31"},
	{"1/31/26", DAY_FORM_MDY, NULL},
	{"", DAY_FORM_ANY, NULL},
	{"Total", DAY_FORM_ANY, NULL},
	{"2026/01/31", DAY_FORM_ANY, "2026-01-31"},
	{"2026.1.5 10:00", DAY_FORM_ANY, "2026-01-05"},
	{"2026/01-31", DAY_FORM_ANY, NULL},
	{"20260131", DAY_FORM_ANY, "2026-01-31"},
	{"20260131T233000Z", DAY_FORM_ANY, NULL},
	{"20261301", DAY_FORM_ANY, NULL},
	{"202601", DAY_FORM_ANY, NULL},
	{"2026", DAY_FORM_ANY, NULL},
	{"2026-", DAY_FORM_ANY, NULL},
	{"Jan 31, 2026", DAY_FORM_ANY, "2026-01-31"},
	{"january 5 2026", DAY_FORM_ANY, "2026-01-05"},
	{"31 Jan 2026", DAY_FORM_ANY, "2026-01-31"},
	{"31-JAN-2026", DAY_FORM_ANY, "2026-01-31"},
	{"Jan 31, 2026 23:30:00 UTC", DAY_FORM_ANY, "2026-01-31"},
	{"Jun 31, 2026", DAY_FORM_ANY, NULL},
	{"Janua 31, 2026", DAY_FORM_ANY, NULL},
	{"Ja 31, 2026", DAY_FORM_ANY, NULL},
	{"Jan 2026", DAY_FORM_ANY, NULL},
	{"31 2026", DAY_FORM_ANY, NULL},
	{"Januaryx 5 2026", DAY_FORM_ANY, NULL},
};

/* Rows as "DAY MODEL KEY NUSD INPUT OUTPUT REQUESTS;". */
static const struct {
	const char *name, *map, *text, *want;
} exports[] = {
	{"any export",
		"day=Date,model=Model,cost=\"Cost\"",
		"Date,Model,\"\"\"Cost\"\"\"\n2026-01-31,m,1\n",
		"2026-01-31 m - 1000000000 -1 -1 -1;"},
	{"names without case, in any order",
		"cost=cost (usd), day=DATE ,model=model",
		"Cost (USD),Model,Date\n0.5,m,2026-01-31\n0.25,m,2026-01-31\n1,n,2026-01-31\n",
		"2026-01-31 m - 750000000 -1 -1 -1;2026-01-31 n - 1000000000 -1 -1 -1;"},
	{"with counts and keys",
		"day=d,model=m,cost=c,key=k,input=i,output=o,requests=r",
		"d;m;c;k;i;o;r\n2026-01-31;x;1,5;work;1,000;2;3\n2026-01-31;x;0,5;work;1;;4\n",
		"2026-01-31 x work 2000000000 1001 2 7;"},
	{"a decimal comma, and points that can be nothing else",
		"day=d,cost=c",
		"d;c\n2026-01-31;0,5\n2026-01-31;0.125\n2026-01-31;1.2345\n2026-01-31;1.5\n2026-01-31;7\n",
		"2026-01-31  - 10359500000 -1 -1 -1;"},
	{"a point or a comma, as is said",
		"day=d,cost=c:comma",
		"d;c\n2026-01-31;0,5\n2026-01-31;1.234\n",
		"2026-01-31  - 1234500000000 -1 -1 -1;"},
	{"a column with a comma in its name",
		"day=d,cost=Cost, net,model=m",
		"d,\"Cost, net\",m\n2026-01-31,1,x\n",
		"2026-01-31 x - 1000000000 -1 -1 -1;"},
	{"OpenAI's costs",
		NULL,
		"start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id,"
		"organization_id,organization_name\n"
		"1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,0.5,usd,\"gpt-4o, input\",,o,P\n"
		"1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,0.25,usd,\"gpt-4o, output\",,o,P\n"
		"1759708800,1759795200,2025-10-06T00:00:00+00:00,2025-10-07T00:00:00+00:00,,,,,,\n",
		"2025-10-05 gpt-4o, input - 500000000 -1 -1 -1;2025-10-05 gpt-4o, output - 250000000 -1 -1 -1;"},
	{"Anthropic's costs",
		NULL,
		"usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,cost_type\n"
		"2026-08-04,Claude Haiku 4.5,Default,work,message,\xe2\x89\xa4 200k,input_no_cache,0.05,token\n"
		"2026-08-04,Claude Haiku 4.5,Default,work,message,\xe2\x89\xa4 200k,output,0.02,token\n",
		"2026-08-04 Claude Haiku 4.5 work 70000000 -1 -1 -1;"},
	{"OpenRouter's activity",
		NULL,
		"generation_id,created_at,cost_total,tokens_prompt,tokens_completion,model_permaslug,api_key_name\n"
		"gen-1,2026-06-28 03:46:57.713,0.0123,10389,137,openai/gpt-oss-120b,work\n",
		"2026-06-28 openai/gpt-oss-120b work 12300000 10389 137 -1;"},
	{"Google's reports",
		NULL,
		"Date,Service description,Service ID,SKU description,SKU ID,Usage amount,Usage unit,List cost ($),"
		"Negotiated savings ($),Savings programs ($),Other savings ($),Unrounded subtotal ($),Subtotal ($)\n"
		"2026-08-15,Gemini API,A-1,Generate content output token count gemini 2.5 flash short input text,9-C,"
		"\"622,403\",count,1.56,0.00,0.00,0.00,1.555990,1.56\n"
		",,,,,,,,,,,1.555990,1.56\n"
		"Total,,,,,,,,,,,1.555990,1.56\n",
		"2026-08-15 Generate content output token count gemini 2.5 flash short input text - 1555990000 -1 -1 -1;"},
};

static const struct {
	const char *name, *map, *text, *why;
	enum err want;
} refused[] = {
	{"a field that there is none of", "dya=Date,cost=c", "Date,c\n",
		"there is no \"dya\"; is \"day\" meant?; the fields are day, model, cost, key, input, output, requests and "
		"currency", ERR_INVALID_ARGUMENT},
	{"a field in the middle that there is none of", "day=Date,modle=m,cost=c", "Date,c\n",
		"there is no \"modle\"; is \"model\" meant?; the fields are day, model, cost, key, input, output, requests "
		"and currency", ERR_INVALID_ARGUMENT},
	{"no column", "day=Date,cost=", "Date,c\n", "cost= names no column", ERR_INVALID_ARGUMENT},
	{"twice", "day=a,day=b,cost=c", "a,b,c\n", "day is said twice", ERR_INVALID_ARGUMENT},
	{"too little", "model=m", "m\n", "the map has to say at least day=COLUMN and cost=COLUMN", ERR_INVALID_ARGUMENT},
	{"a column that is not there", "day=Date,cost=Csot", "Date,Cost,Model\n",
		"there is no column \"Csot\"; is \"Cost\" meant?; the first line has: Date, Cost, Model",
		ERR_INVALID_ARGUMENT},
	{"one that is like none", "day=Date,cost=EUR", "Date,Cost,Model\n",
		"there is no column \"EUR\"; the first line has: Date, Cost, Model", ERR_INVALID_ARGUMENT},
	{"an export that nobody knows", NULL, "Date,Cost\n",
		"it is no export that is known by its columns: say which is which by --map "
		"day=COLUMN,model=COLUMN,cost=COLUMN; the first line has: Date, Cost", ERR_INVALID_ARGUMENT},
	{"nothing", "day=d,cost=c", "", "there is nothing in it", ERR_MALFORMED},
	{"a number that is none", "day=d,cost=c", "d,c\n2026-01-31,free\n",
		"line 2, column 12 (c): \"free\" is not an amount", ERR_MALFORMED},
	{"a day that there is not", "day=d,cost=c", "d,c\n2026-02-30,1\n",
		"line 2, column 1 (d): \"2026-02-30\" is a day that this month does not have", ERR_MALFORMED},
	{"a day in two ways", "day=d,cost=c", "d,c\n1/2/2026,1\n",
		"line 2, column 1 (d): \"1/2/2026\" can be read in two ways: say which by day=COLUMN:mdy (month first) or "
		"day=COLUMN:dmy (day first)", ERR_MALFORMED},
	{"a name that two columns have", "day=d,cost=c", "d,c,C\n2026-01-31,1,2\n",
		"there are two columns \"c\", and which is meant cannot be told", ERR_INVALID_ARGUMENT},
	{"too few fields", "day=d,cost=c", "d,c\n2026-01-31\n",
		"line 2: it has 1 fields, and the first line 2", ERR_MALFORMED},
	{"another currency", "day=d,cost=c,currency=u", "d,c,u\n2026-01-31,1,eur\n",
		"line 2, column 14 (u): \"eur\" is not USD, and nothing here converts it", ERR_MALFORMED},
	{"a point that may be between thousands, behind a decimal comma", "day=d,cost=c", "d;c\n2026-01-31;0,5\n2026-01-31;1.234\n",
		"line 3, column 12 (c): \"1.234\" can mean thousands or decimals: say which by cost=COLUMN:point or "
		"cost=COLUMN:comma", ERR_MALFORMED},
	{"the same, behind points between thousands", "day=d,cost=c", "d;c\n2026-01-31;1.234.567\n2026-01-31;-$1.234\n",
		"line 3, column 12 (c): \"-$1.234\" can mean thousands or decimals: say which by cost=COLUMN:point or "
		"cost=COLUMN:comma", ERR_MALFORMED},
	{"a decimal comma, behind a point that may be between thousands", "day=d,cost=c", "d;c\n2026-01-31;1.234\n2026-01-31;0,5\n",
		"line 3, column 12 (c): \"0,5\" has a comma before its decimals, and a line above it may have a point between "
		"thousands: say which by cost=COLUMN:point or cost=COLUMN:comma", ERR_MALFORMED},
	{"half a token", "day=d,cost=c,input=i", "d,c,i\n2026-01-31,1,1.5\n",
		"line 2, column 14 (i): \"1.5\" is not a whole number", ERR_MALFORMED},
};
/* clang-format on */

static enum err read_export(
	const char *map, const char *text, struct statement *to, struct fault *why)
{
	struct export_map columns = {.mark = AMOUNT_MARK_ANY};
	OWNED(export_done) struct export e;
	export_init(&e, &columns, &(struct export_days){0, INT64_MAX}, to);
	enum err err = map ? export_map_read(&e.map, span_str(map), why) : OK;
	if (!err)
		err = export_feed(&e, span_str(text), why);
	return err ? err : export_end(&e, why);
}

static void put_rows(struct buf *out, const struct statement *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct spend *r = &s->rows[i];
		day_put(out, r->day);
		buf_print(out, " %.*s ", SPAN_ARG(r->model));
		buf_span(out, span_is_set(r->key) ? r->key : SPAN("-"));
		buf_print(out, " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 ";", r->nusd,
			r->tokens[SPEND_INPUT], r->tokens[SPEND_OUTPUT], r->requests);
	}
	buf_byte(out, '\0');
}

static void test_amounts(void)
{
	for (size_t i = 0; i < COUNT_OF(amounts); i++) {
		struct fault why = FAULT_NONE;
		struct amount_column column = {false, false};
		int64_t got = 0;
		const enum err err = amount_nusd(
			span_str(amounts[i].text), amounts[i].mark, &column, &got, &why);
		is_int(err ? INT64_MIN : got, amounts[i].want, "\"%s\"", amounts[i].text);
	}
}

static void test_days(void)
{
	for (size_t i = 0; i < COUNT_OF(days); i++) {
		OWNED(buf_done) struct buf text = BUF_INIT(64);
		struct fault why = FAULT_NONE;
		int64_t day = 0;
		const enum err err = day_read(span_str(days[i].text), days[i].form, &day, &why);
		day_put(&text, day);
		buf_byte(&text, '\0');
		is_str(err ? NULL : text.p, days[i].want, "\"%s\"", days[i].text);
	}
}

/* Each day has a beginning that is in it, the one before it not. */
static void test_zone(const char *zone)
{
	if (!ok(zone_use(zone), "the zone %s", zone))
		return;
	int64_t wrong = 0;
	for (int64_t day = day_of_date(2025, 1, 1); day < day_of_date(2027, 1, 1); day++) {
		const int64_t at_s = day_begins_s(day);
		wrong += day_of_moment(at_s) != day || day_of_moment(at_s - 1) != day - 1;
	}
	is_int(wrong, 0, "days of two years begin when they do in %s", zone);
}

static void test_exports(void)
{
	for (size_t i = 0; i < COUNT_OF(exports); i++) {
		OWNED(statement_done) struct statement s;
		OWNED(buf_done) struct buf out = BUF_INIT(4096);
		struct fault why = FAULT_NONE;
		statement_init(&s);
		is_err(read_export(exports[i].map, exports[i].text, &s, &why), OK, "%s: %s",
			exports[i].name, why.message);
		put_rows(&out, &s);
		is_str(out.p, exports[i].want, "%s: its rows", exports[i].name);
	}
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		OWNED(statement_done) struct statement s;
		struct fault why = FAULT_NONE;
		statement_init(&s);
		is_err(read_export(refused[i].map, refused[i].text, &s, &why), refused[i].want,
			"%s is refused", refused[i].name);
		is_str(why.message, refused[i].why, "%s: says why", refused[i].name);
	}
}

int main(void)
{
	ok(zone_use("UTC"), "UTC is a zone");
	test_amounts();
	test_days();
	test_exports();
	ok(!zone_use("Europe/Nowhere"), "there is no such zone");
	ok(!zone_use("../../../etc/passwd"), "no name leads elsewhere");
	ok(!zone_use("/etc/localtime"), "nor does a path");
	test_zone("Europe/Berlin");
	test_zone("America/Sao_Paulo");
	test_zone("Pacific/Auckland");
	return tap_done();
}
