/* test_peer.c - what is made of what the kernel says? */
#include "brokerd/front/peer.h"
#include "tests/lib/tap.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A process of our own user that could be looked at. */
#define SEEN                                                                                \
	.has_creds = true, .uid = 1000, .pid = 7, .is_our_user = true, .has_process = true, \
	.is_proved = true
#define NS(u, m, p, r) \
	.user_ns = SEEN_##u, .mount_ns = SEEN_##m, .pid_ns = SEEN_##p, .root = SEEN_##r
#define OURS NS(SAME, SAME, SAME, SAME)
/* Of another user's, as from outside. */
#define OUTSIDE    .has_creds = true, .uid = 1001, .pid = 7, .has_process = true, .is_proved = true
#define MAPS(u, r) .uid_map = SEEN_##u, .root_mount = SEEN_##r
#define WHOLE      MAPS(SAME, SAME)

/* What it says that it is, and where. */
#define BOXED(id)     SEEN, NS(OTHER, OTHER, OTHER, SAME), .flatpak = FLATPAK_SOUND, .flatpak_id = id
#define IN_SCOPE(run) .cgroup = "app.slice/app-flatpak-" run ".scope"
/* Of whoever has the pid now. */
#define MAYBE   .has_creds = true, .uid = 1000, .pid = 7, .is_our_user = true, .has_process = true
#define IN_CRON .is_in_system = true, .cgroup = "system.slice/cron.service"
#define SERVICE SEEN, IN_CRON

static const struct {
	const char *name;
	struct evidence e;
	enum peer_kind kind;
	const char *id;
	enum peer_confidence confidence;
	bool is_claim;
} judged[] = {
	{"no credentials",				{.pid = -1},								PEER_KIND_UNKNOWN,   "",              PEER_UNKNOWN, false},
	{"a process that is gone",                        {.has_creds = true, .uid = 1000},                                           PEER_KIND_UNKNOWN,   "",
         PEER_UID,																					false},
	{"one of the host's",                             {SEEN, OURS, .program = "cat"},                                             PEER_KIND_HOST,      "cat",           PEER_PROC,
         false																						 },
	{"perhaps one of the host's",                     {MAYBE, OURS, .program = "cat"},                                            PEER_KIND_UNKNOWN,   "",
         PEER_UID,																					false},
	{"perhaps a service",                             {MAYBE, OURS, IN_CRON},                                                     PEER_KIND_UNKNOWN,   "",              PEER_UID,     false},
	{"perhaps one in a container",                    {MAYBE, OURS, .cgroup = "docker/" HEX},                                     PEER_KIND_UNKNOWN,
         "",																				PEER_UID,     false},
	{"perhaps a sandbox",                             {MAYBE, NS(OTHER, SAME, SAME, SAME)},                                       PEER_KIND_SANDBOX,   "",              PEER_UID,
         false																						 },
	{"perhaps a Flatpak",
         {MAYBE, NS(SAME, OTHER, SAME, SAME), .flatpak = FLATPAK_SOUND, .flatpak_id = "a.b"},
         PEER_KIND_SANDBOX,																"",              PEER_UID,     false},
	{"in a desktop's scope, whose name is anybody's",
         {SEEN, OURS, .program = "cat", .cgroup = "user.slice/user-1000.slice/app-x.scope"},
         PEER_KIND_HOST,																   "cat",           PEER_PROC,    false},
	{"with its own users",                            {SEEN, NS(OTHER, SAME, SAME, SAME)},                                        PEER_KIND_SANDBOX,   "",
         PEER_PROC,																				       false},
	{"with its own mounts",                           {SEEN, NS(SAME, OTHER, SAME, SAME)},                                        PEER_KIND_SANDBOX,   "",
         PEER_PROC,																				       false},
	{"with its own pids",                             {SEEN, NS(SAME, SAME, OTHER, SAME)},                                        PEER_KIND_SANDBOX,   "",              PEER_PROC,
         false																						 },
	{"with another root",                             {SEEN, NS(SAME, SAME, SAME, OTHER)},                                        PEER_KIND_SANDBOX,   "",              PEER_PROC,
         false																						 },
	{"one that cannot be looked at",                  {SEEN, WHOLE},							      PEER_KIND_UNKNOWN,   "",              PEER_PROC,    false},
	{"nor in part",				   {SEEN, NS(SAME, SAME, SAME, NOT)},                                          PEER_KIND_UNKNOWN,   "",              PEER_PROC,    false},
	{"another user's, from outside",                  {OUTSIDE, WHOLE},							   PEER_KIND_HOST,      "",              PEER_PROC,    false},
	{"whose users are mapped",                        {OUTSIDE, MAPS(OTHER, SAME)},                                               PEER_KIND_SANDBOX,   "",              PEER_PROC,
         false																						 },
	{"whose root is another mount",                   {OUTSIDE, MAPS(SAME, OTHER)},                                               PEER_KIND_SANDBOX,   "",
         PEER_PROC,																				       false},
	{"who has a pid below",                           {OUTSIDE, WHOLE, .is_nested = true},                                        PEER_KIND_SANDBOX,   "",
         PEER_PROC,																				       false},
	{"whose calls are filtered",                      {OUTSIDE, WHOLE, .has_filter = true},                                       PEER_KIND_UNKNOWN,   "",
         PEER_PROC,																				       false},
	{"whose mounts cannot be seen",                   {OUTSIDE, .uid_map = SEEN_SAME},                                            PEER_KIND_UNKNOWN,   "",
         PEER_PROC,																				       false},
	{"a Flatpak, it says",
         {SEEN, NS(SAME, OTHER, SAME, SAME), .flatpak = FLATPAK_SOUND, .flatpak_id = "a.b"},
         PEER_KIND_FLATPAK,																"a.b",           PEER_PROC,    true },
	{"one that is in its scope",                      {BOXED("a.b"), IN_SCOPE("a.b-123")},                                        PEER_KIND_FLATPAK,   "a.b",
         PEER_PROC,																				       false},
	{"whose name has hyphens",                        {BOXED("a.b-c-1"), IN_SCOPE("a.b-c-1-77")},                                 PEER_KIND_FLATPAK,
         "a.b-c-1",																			 PEER_PROC,    false},
	{"that are escaped",			      {BOXED("a.b-c"), IN_SCOPE("a.b\\x2dc-77")},                                 PEER_KIND_FLATPAK,   "a.b-c",
         PEER_PROC,																				       false},
	{"in a cgroup below",                             {BOXED("a.b"), IN_SCOPE("a.b-1") "/x"},                                     PEER_KIND_FLATPAK,   "a.b",
         PEER_PROC,																				       false},
	{"in another's scope",                            {BOXED("a.b"), IN_SCOPE("a.c-123")},                                        PEER_KIND_FLATPAK,   "a.b",
         PEER_PROC,																				       true },
	{"in a longer one's",                             {BOXED("a.b"), IN_SCOPE("a.b.c-123")},                                      PEER_KIND_FLATPAK,   "a.b",
         PEER_PROC,																				       true },
	{"in a shorter one's",                            {BOXED("a.b.c"), IN_SCOPE("a.b-123")},                                      PEER_KIND_FLATPAK,   "a.b.c",
         PEER_PROC,																				       true },
	{"without a number",			      {BOXED("a.b"), IN_SCOPE("a.b")},                                            PEER_KIND_FLATPAK,   "a.b",           PEER_PROC,
         true																						  },
	{"with what is no number",                        {BOXED("a.b"), IN_SCOPE("a.b-1x")},                                         PEER_KIND_FLATPAK,   "a.b",
         PEER_PROC,																				       true },
	{"a name that ends in a number is no number",     {BOXED("a.b"), IN_SCOPE("a.b-1-2")},
         PEER_KIND_FLATPAK,																"a.b",           PEER_PROC,    true },
	{"a number alone",				{BOXED("1"), IN_SCOPE("1")},                                                PEER_KIND_FLATPAK,   "1",             PEER_PROC,    true },
	{"what makes no sense",                           {SEEN, OURS, .flatpak = FLATPAK_BAD},                                       PEER_KIND_UNKNOWN,   "",
         PEER_PROC,																				       false},
	{"a service",				     {SEEN, OURS, .is_in_system = true, .cgroup = "system.slice/nginx.service"},
         PEER_KIND_SERVICE,																"nginx.service", PEER_CGROUP,  false},
	{"one of many",
         {SEEN, OURS, .is_in_system = true,
			.cgroup = "system-pg.slice/pg@14.service/worker"},
         PEER_KIND_SERVICE,																"pg@14.service", PEER_CGROUP,  false},
	{"one with a PrivateTmp",                         {SERVICE, NS(SAME, OTHER, SAME, SAME)},                                     PEER_KIND_SERVICE,
         "cron.service",																		    PEER_CGROUP,  false},
	{"another user's, from outside: a service",       {OUTSIDE, WHOLE, IN_CRON},                                                  PEER_KIND_SERVICE,
         "cron.service",																		    PEER_CGROUP,  false},
	{"what a service starts with users of its own",   {SERVICE, NS(OTHER, OTHER, SAME, SAME)},
         PEER_KIND_SANDBOX,																"",              PEER_PROC,    false},
	{"with pids of its own",                          {SERVICE, NS(SAME, OTHER, OTHER, SAME)},                                    PEER_KIND_SANDBOX,   "",
         PEER_PROC,																				       false},
	{"with users mapped, from outside",               {OUTSIDE, MAPS(OTHER, SAME), IN_CRON},
         PEER_KIND_SANDBOX,																"",              PEER_PROC,    false},
	{"with a pid below, from outside",                {OUTSIDE, WHOLE, IN_CRON, .is_nested = true},
         PEER_KIND_SANDBOX,																"",              PEER_PROC,    false},
	{"a Flatpak that a service started",
         {SERVICE, NS(SAME, OTHER, SAME, SAME), .flatpak = FLATPAK_SOUND,
			.flatpak_id = "a.b"},
         PEER_KIND_FLATPAK,																"a.b",           PEER_PROC,    true },
	{"one that makes no sense",                       {SERVICE, NS(SAME, OTHER, SAME, SAME), .flatpak = FLATPAK_BAD},
         PEER_KIND_UNKNOWN,																"",              PEER_PROC,    false},
	{"a user's own unit is the host's",
         {SEEN, OURS, .cgroup = "user.slice/user@1000.service/x.service"},                                                            PEER_KIND_HOST,
         "",																				PEER_PROC,    false},
	{"docker",
         {SEEN, OURS, .cgroup = "system.slice/docker-" HEX ".scope", .is_in_system = true},
         PEER_KIND_CONTAINER,															      "0123456789ab",  PEER_PROC,    false},
	{"docker without systemd",                        {SEEN, OURS, .cgroup = "docker/" HEX},                                      PEER_KIND_CONTAINER,
         "0123456789ab",																		    PEER_PROC,    false},
	{"podman",					{SEEN, OURS, .cgroup = "user.slice/libpod-" HEX ".scope/container"},
         PEER_KIND_CONTAINER,															      "0123456789ab",  PEER_PROC,    false},
	{"kubernetes",				    {SEEN, OURS, .cgroup = "kubepods.slice/x"},                                 PEER_KIND_CONTAINER,
         "kubepods.sli",																		    PEER_PROC,    false},
	{"a snap, by its cgroup",                         {SEEN, OURS, .cgroup = "user.slice/snap.code.code-1.scope"},
         PEER_KIND_SNAP,																   "code",          PEER_PROC,    false},
	{"a snap, by its label",                          {SEEN, OURS, .label = "snap.code.code (enforce)"},                          PEER_KIND_SNAP,
         "code",																			    PEER_LABEL,   false},
	{"by its label though it is gone",                {.has_creds = true, .label = "snap.code.code (enforce)"},
         PEER_KIND_SNAP,																   "code",          PEER_LABEL,   false},
	{"a label that is only watched",                  {SEEN, OURS, .label = "snap.code.code (complain)"},
         PEER_KIND_HOST,																   "",              PEER_PROC,    false},
	{"a label of no snap",                            {SEEN, OURS, .label = "unconfined"},                                        PEER_KIND_HOST,      "",              PEER_PROC,
         false																						 },
	{"SELinux's containers",                          {SEEN, OURS, .label = "system_u:system_r:container_t:s0:c1,c2"},
         PEER_KIND_CONTAINER,															      "",              PEER_LABEL,   false},
};

static void judging(void)
{
	const struct peer_place in_the_open = {.socket = PEER_SOCKET_MAIN};
	for (size_t i = 0; i < COUNT_OF(judged); i++) {
		struct peer_id p;
		peer_judge(&judged[i].e, &in_the_open, &p);
		is_str(peer_kind_name(p.kind), peer_kind_name(judged[i].kind), "%s",
			judged[i].name);
		is_str(p.name, judged[i].id, "%s: its name", judged[i].name);
		is_str(peer_confidence_name(p.confidence),
			peer_confidence_name(judged[i].confidence), "%s: how it is known",
			judged[i].name);
		ok(p.is_claim == judged[i].is_claim, "%s: by its own word?", judged[i].name);
	}
}

/* By the socket alone, whatever the process is. */
static void by_socket(void)
{
	const struct peer_place app = {
		.socket = PEER_SOCKET_APP, .name = "notes", .profile = "small"};
	const struct peer_place handed = {
		.socket = PEER_SOCKET_HANDED, .name = "x", .instance = "7"};
	const struct evidence e = {
		SEEN, NS(OTHER, SAME, SAME, SAME), .label = "snap.a.b (enforce)"};
	struct peer_id p;
	peer_judge(&e, &app, &p);
	ok(p.kind == PEER_KIND_APP && p.confidence == PEER_LISTENER, "an application's own");
	is_str(p.name, "notes", "and which");
	is_str(p.profile, "small", "with what it was given");
	peer_judge(&e, &handed, &p);
	ok(p.kind == PEER_KIND_SANDBOX && p.confidence == PEER_LISTENER,
		"one that was made for a sandbox");
	is_str(p.instance, "7", "and which run of it");
	const struct evidence nobody = {.pid = -1};
	peer_judge(&nobody, &app, &p);
	ok(p.kind == PEER_KIND_UNKNOWN && p.confidence == PEER_UNKNOWN, "not without credentials");
}

/* ---- where its use is counted ---- */

static void places(void)
{
	static const struct {
		const char *name;
		struct evidence e;
		const char *unit, *container, *project;
	} cases[] = {
		{"a program of the host",
                 {SEEN, NS(SAME, SAME, SAME, SAME), .program = "cat", .unit = "a.scope",
				.project = "/p"},
                 "a.scope",									     "",             "/p"},
		{"a container",
                 {SEEN, NS(OTHER, OTHER, OTHER, OTHER), .cgroup = "docker/" HEX,
				.unit = "d.scope", .project = "/p"},
                 "d.scope",									     "0123456789ab", ""  },
		{"a container by its label",
                 {SEEN, NS(OTHER, OTHER, OTHER, OTHER), .label = "u:r:container_t:s0:c1,c2"},
                 "",										    "container",    ""  },
		{"a sandbox",                {SEEN, NS(OTHER, OTHER, SAME, SAME), .project = "/p"}, "", "sandbox",
                 ""													 },
		{"who is not known",         {.has_creds = true, .project = "/p"},                  "", "",             ""  },
	};
	const struct peer_place in_the_open = {.socket = PEER_SOCKET_MAIN};
	const struct peer_place app = {.socket = PEER_SOCKET_APP, .name = "notes"};
	struct peer_id p;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		peer_judge(&cases[i].e, &in_the_open, &p);
		is_str(p.unit, cases[i].unit, "%s: its unit", cases[i].name);
		is_str(p.container, cases[i].container, "%s: its container", cases[i].name);
		is_str(p.project, cases[i].project, "%s: its project", cases[i].name);
	}
	peer_judge(&cases[0].e, &app, &p);
	is_str(p.container, "app:notes", "an application by its socket");
	is_str(p.project, "", "whose folder is its own affair");
}

/* ---- texts ---- */

static void cgroup(const char *name, const char *text, const char *want)
{
	struct evidence e = {.cgroup = ""};
	evidence_read_cgroup(span_str(text), &e);
	is_str(e.cgroup, want, "cgroup: %s", name);
}

static void flatpak(const char *name, const char *text, const char *want)
{
	struct evidence e = {.flatpak_id = ""};
	const bool is_sound = evidence_read_flatpak(span_str(text), &e);
	ok(is_sound == (*want != '\0'), "flatpak: %s", name);
	is_str(e.flatpak_id, want, "flatpak: %s: its name", name);
}

static const char mounts[] = "29 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
			     "31 29 0:6 / /dev rw master:2 shared:3 - devtmpfs udev rw\n"
			     "nonsense\n"
			     "77 29 0:50 / / rw - fuse.overlay x rw\n";

static void texts(void)
{
	cgroup("one hierarchy", "0::/user.slice/a\n", "/user.slice/a");
	cgroup("systemd's own beside it", "1:name=systemd:/system.slice/b.service\n0::/\n",
		"/system.slice/b.service");
	cgroup("others are not read", "5:memory:/x\n", "");
	cgroup("a path with colons", "0::/a:b\n", "/a:b");
	cgroup("nothing", "", "");
	cgroup("nonsense", "::::\n\n0:\nx", "");
	flatpak("as it is", "[Application]\nname=org.x.Y\n[Instance]\ninstance-id=1\n", "org.x.Y");
	flatpak("a runtime's", "[Runtime]\nname=org.x.Z\n", "org.x.Z");
	flatpak("with spaces", " [Application] \n name = org.x.Y \n", "org.x.Y");
	flatpak("in another section", "[Context]\nname=org.x.Y\n", "");
	flatpak("a path", "[Application]\nname=../x\n", "");
	flatpak("with an escape", "[Application]\nname=a\033b\n", "");
	flatpak("empty", "[Application]\nname=\n", "");
	is_int(evidence_root_mount(span_str(mounts)), 77,
		"the last mount at the root is the one that is seen");
	ok(span_is(evidence_mount_type(span_str(mounts), 29), "ext4"), "the type of a mount");
	ok(span_is(evidence_mount_type(span_str(mounts), 31), "devtmpfs"),
		"with more before the dash");
	ok(!span_is_set(evidence_mount_type(span_str(mounts), 30)), "there is no such mount");
	is_int(evidence_root_mount(SPAN("")), 0, "no mounts");

	struct evidence e = {.n_filters = 0};
	uid_t uid = 0;
	evidence_read_status(
		SPAN("Name:\tx\nUid:\t1\t2\t3\t4\nNSpid:\t12\t2\nSeccomp:\t2\n"), &e, &uid);
	is_uint((uint64_t)uid, UINT64_C(2), "the effective user");
	ok(e.is_nested, "a pid below");
	is_int(e.n_filters, INT64_MAX, "filters that are not counted");
	e = (struct evidence){.n_filters = 1};
	evidence_read_status(
		SPAN("Uid:\t1\t1\t1\t1\nNSpid:\t12\nSeccomp:\t0\nSeccomp_filters:\t0\n"), &e, &uid);
	ok(!e.is_nested && e.n_filters == 0, "neither");
	evidence_read_status(SPAN("Seccomp:\t2\nSeccomp_filters:\t3\n"), &e, &uid);
	is_int(e.n_filters, 3, "filters that are counted");
	evidence_read_status(SPAN("Seccomp:\t1\nSeccomp_filters:\t0\n"), &e, &uid);
	is_int(e.n_filters, INT64_MAX, "two or three calls are all that it may do");
}

/* ---- as whom it is in the accounts, and as whom it is granted something ---- */

static void called(struct peer_id p, const char *account, const char *grant)
{
	char text[PEER_ACCOUNT_BYTES], who[PEER_TEXT_BYTES];
	peer_account(&p, text);
	is_str(text, account, "in the accounts");
	peer_grant_text(&p, who);
	is_str(who, grant, "%s: as whom something is granted", account);
}

static void names(void)
{
	called((struct peer_id){.kind = PEER_KIND_HOST, .name = "cat", .app = "notes"}, "notes",
		"host:cat");
	called((struct peer_id){.kind = PEER_KIND_HOST, .name = "cat", .app = "app:notes"},
		"app_notes", "host:cat");
	called((struct peer_id){.kind = PEER_KIND_APP, .name = "notes", .app = "other"},
		"app:notes", "app:notes");
	called((struct peer_id){.kind = PEER_KIND_SANDBOX}, "sandbox", "sandbox");
	called((struct peer_id){.kind = PEER_KIND_FLATPAK, .name = "org.x.Y"}, "flatpak:org.x.Y",
		"flatpak:org.x.Y");
	called((struct peer_id){.kind = PEER_KIND_FLATPAK, .name = "org.x.Y", .is_claim = true},
		"flatpak:?org.x.Y", "flatpak");
}

int main(void)
{
	names();
	judging();
	by_socket();
	places();
	texts();
	return tap_done();
}
