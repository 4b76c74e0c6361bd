/* What callers do wrong, function by function: each is answered with its status and a problem that names it, nothing is let
 * pass, and nothing is read or written that should not be (valgrind and AddressSanitizer watch).
 */
#include <stdint.h>

#include "support.h"

static json_t *cases;
static nexa_problem problem;

/* The answer of a call: its status, and the code and message of its problem. A null message is not compared. */
static void answers(int line, nexa_status found, nexa_status status, const char *code, const char *message) {
    const char *told = strlen(problem.message) > 0 ? problem.message : "";
    CHECK(found == status && strcmp(problem.code, code) == 0 && (message == NULL || strcmp(told, message) == 0),
          "from line %d: %d, %s: %s", line, found, problem.code, told);
    CHECK((status == NEXA_STATUS_OK) == (problem.code[0] == '\0'), "from line %d: a code and no failure", line);
    memset(&problem, 'x', sizeof problem);
}
#define ANSWERS(call, status, code, message) answers(__LINE__, call, NEXA_STATUS_##status, code, message)
#define SUCCEEDS(call) ANSWERS(call, OK, "", "")
#define IS_NULL(call, argument) ANSWERS(call, NULL_POINTER, "null_pointer", argument " is null")
#define NOT_READY(call, object) ANSWERS(call, NOT_READY, "not_ready", object " was not made, or could not be")
#define MISALIGNED(call, object) ANSWERS(call, OUT_OF_RANGE, "misaligned", object " is not aligned to 8 bytes")
#define OVERLAPS(call, message) ANSWERS(call, OUT_OF_RANGE, "overlap", message)
/* What the helpers answer for a file that cannot be read, on machines with 64 bits. */
#define NO_LENGTH(call, argument) \
    ANSWERS(call, OUT_OF_RANGE, "out_of_range", \
            argument " cannot have 18446744073709551615 bytes: did the call that should have read it fail?")
#define TOO_LATE(call, argument) \
    ANSWERS(call, OUT_OF_RANGE, "out_of_range", argument " is 9007199254740992; Unix seconds below 2^53 are read")

static const uint64_t TOO_LATE_S = (uint64_t)1 << 53;

/* One licence that is good, and what it is checked with. */
static Bytes keys, status_keys, token;
static uint64_t now_s;
static nexa_expectations expected;
static nexa_component component;
static nexa_verifier *verifier;
static nexa_client *client;
static nexa_report *report;

static Bytes text(const char *at) { return copy(at, strlen(at)); }

static void *askew(void *object) { return (char *)object + 1; }

static void denies(int line) {
    CHECK(nexa_report_decision(report) == NEXA_DECISION_DENY, "from line %d: it is let pass", line);
    CHECK(strcmp(nexa_report_code(report), "not_ready") == 0, "from line %d: %s", line, nexa_report_code(report));
    CHECK(nexa_report_json(report) == NULL && nexa_report_url(report) == NULL, "from line %d: it says something", line);
}
#define DENIES() denies(__LINE__)

static void prepare(void) {
    const json_t *one = case_named(cases, "delta/changes-nothing"), *expect = json_object_get(one, "expect");
    keys = string(one, "keys"), token = string(one, "token"), status_keys = string(expect, "status_keys");
    now_s = (uint64_t)json_integer_value(json_object_get(one, "time"));
    memset(&expected, 0, sizeof expected);
    expected.issuer = text_of(string(expect, "issuer")), expected.audience = text_of(string(expect, "audience"));
    expected.device = NEXA_DEVICE_CHECK_NOT_CHECKED;
    component.kind = text_of(text("fingerprint")), component.value = text_of(text("f"));
    verifier = (nexa_verifier *)memory(sizeof *verifier), client = (nexa_client *)memory(sizeof *client);
    report = (nexa_report *)memory(sizeof *report);
}

static nexa_status init(const nexa_expectations *of) {
    return nexa_verifier_init(verifier, keys.at, keys.bytes, of, &problem);
}

static void verifiers(void) {
    Bytes not_utf8 = copy("[\xff]", 3), empty = copy("", 0);
    IS_NULL(nexa_verifier_init(NULL, keys.at, keys.bytes, &expected, &problem), "verifier");
    IS_NULL(nexa_verifier_init(verifier, NULL, 1, &expected, &problem), "jwks");
    IS_NULL(init(NULL), "expectations");
    MISALIGNED(nexa_verifier_init((nexa_verifier *)askew(verifier), keys.at, keys.bytes, &expected, &problem), "verifier");
    MISALIGNED(init((nexa_expectations *)askew(&expected)), "expectations");
    ANSWERS(nexa_verifier_init(verifier, NULL, 0, &expected, &problem), REFUSED, "key_set_refused", NULL);
    ANSWERS(nexa_verifier_init(verifier, empty.at, 0, &expected, &problem), REFUSED, "key_set_refused", NULL);
    ANSWERS(nexa_verifier_init(verifier, not_utf8.at, 3, &expected, &problem), REFUSED, "key_set_refused", NULL);
    NO_LENGTH(nexa_verifier_init(verifier, keys.at, SIZE_MAX, &expected, &problem), "jwks");
    /* What could not be made is not ready. */
    NOT_READY(nexa_verifier_check(verifier, now_s, token.at, token.bytes, NULL, 0, report, &problem), "verifier");
    DENIES();
    SUCCEEDS(init(&expected));
#define CHECKED(of, at_s, t, tn, l, ln, to) nexa_verifier_check(of, at_s, t, tn, l, ln, to, &problem)
#define ALLOWED() \
    SUCCEEDS(CHECKED(verifier, now_s, token.at, token.bytes, "[]", 2, report)); \
    CHECK(nexa_report_decision(report) == NEXA_DECISION_ALLOW, "%s", nexa_report_json(report))
    ALLOWED();
    IS_NULL(CHECKED(NULL, now_s, token.at, token.bytes, NULL, 0, report), "verifier");
    DENIES();
    ALLOWED();
    IS_NULL(CHECKED(verifier, now_s, NULL, 1, NULL, 0, report), "token");
    DENIES();
    ALLOWED();
    IS_NULL(CHECKED(verifier, now_s, token.at, token.bytes, NULL, 1, report), "list");
    DENIES();
    IS_NULL(CHECKED(verifier, now_s, token.at, token.bytes, NULL, 0, NULL), "report");
    ALLOWED();
    TOO_LATE(CHECKED(verifier, TOO_LATE_S, token.at, token.bytes, NULL, 0, report), "now_s");
    DENIES();
    ALLOWED();
    ANSWERS(CHECKED(verifier, now_s, token.at, token.bytes, not_utf8.at, 3, report), REFUSED, "list_refused", NULL);
    DENIES();
    ANSWERS(CHECKED(verifier, now_s, token.at, token.bytes, empty.at, 0, report), REFUSED, "list_refused", NULL);
    NO_LENGTH(CHECKED(verifier, now_s, token.at, SIZE_MAX, NULL, 0, report), "token");
    DENIES();
    SUCCEEDS(CHECKED(verifier, now_s, NULL, 0, NULL, 0, report));
    CHECK(strcmp(nexa_report_code(report), "not_three_segments") == 0, "%s", nexa_report_code(report));
    SUCCEEDS(CHECKED(verifier, now_s, not_utf8.at, 3, NULL, 0, report));
    CHECK(nexa_report_decision(report) == NEXA_DECISION_DENY, "no token is let pass");
    MISALIGNED(CHECKED((nexa_verifier *)askew(verifier), now_s, token.at, 1, NULL, 0, report), "verifier");
    MISALIGNED(CHECKED(verifier, now_s, token.at, 1, NULL, 0, (nexa_report *)askew(report)), "report");
    OVERLAPS(CHECKED(verifier, now_s, token.at, 1, NULL, 0, (nexa_report *)(void *)verifier), "verifier and report overlap");
    /* Where the problem would break an object, nothing is written at all: an earlier report still allows, as the header says. */
    ALLOWED();
    CHECK(nexa_verifier_check(verifier, now_s, NULL, 0, NULL, 0, report, (nexa_problem *)(void *)report) ==
              NEXA_STATUS_OUT_OF_RANGE,
          "a problem in a report");
    CHECK(nexa_verifier_check(verifier, now_s, NULL, 0, NULL, 0, report, (nexa_problem *)(void *)(report + 1) - 1) ==
              NEXA_STATUS_OUT_OF_RANGE,
          "a problem at the end of a report");
    CHECK(nexa_report_decision(report) == NEXA_DECISION_ALLOW, "%s", nexa_report_code(report));
    CHECK(strcmp(nexa_report_code(report), "valid") == 0, "%s", nexa_report_code(report));
    CHECK(nexa_verifier_check(verifier, now_s, token.at, token.bytes, "[]", 2, report, NULL) == NEXA_STATUS_OK, "no problem");
    free(not_utf8.at), free(empty.at);
}

static void expectations(void) {
    nexa_expectations of = expected;
    nexa_component *many = (nexa_component *)memory(sizeof *many * 32);
    Bytes longest = {(char *)memory(4097), 4097}, not_utf8 = copy("a\xc3", 2);
    nexa_component other = component;
    size_t i;
    memset(longest.at, 'x', longest.bytes);
    for (i = 0; i < 32; i++) many[i] = component;
#define OF(member, value, status, code, message) \
    of = expected; \
    of.member = value; \
    ANSWERS(init(&of), status, code, message)
    OF(device, 0, OUT_OF_RANGE, "out_of_range",
       "expectations.device is 0; 1 compares the components, 2 leaves the device out");
    OF(device, UINT32_MAX, OUT_OF_RANGE, "out_of_range", NULL);
    OF(issuer.at, NULL, NULL_POINTER, "null_pointer", "expectations.issuer is null");
    OF(issuer.bytes, 0, OK, "", "");
    OF(issuer.bytes, (size_t)-1, OUT_OF_RANGE, "out_of_range", NULL);
    OF(issuer, text_of(not_utf8), NOT_UTF8, "not_utf8", "expectations.issuer is not UTF-8 from byte 1 on");
    OF(audience, text_of(not_utf8), NOT_UTF8, "not_utf8", "expectations.audience is not UTF-8 from byte 1 on");
    OF(audience.at, NULL, NULL_POINTER, "null_pointer", "expectations.audience is null");
    OF(issuer, text_of(longest), OUT_OF_RANGE, "out_of_range", NULL);
    OF(audience, text_of(longest), OUT_OF_RANGE, "out_of_range",
       "expectations.audience: issuer, audience and components together have more than 4096 bytes");
    longest.bytes = 1025;
    OF(issuer, text_of(longest), OUT_OF_RANGE, "out_of_range",
       "expectations.issuer has 1025 bytes; at most 1024 are taken");
    longest.bytes = 1024;
    OF(issuer, text_of(longest), OK, "", "");
    OF(component_count, 1, NULL_POINTER, "null_pointer", "expectations.components is null");
    OF(max_lifetime_s, UINT64_MAX, OK, "", "");
    expected.device = NEXA_DEVICE_CHECK_COMPONENTS, expected.components = many, expected.component_count = 32;
    OF(component_count, 32, OK, "", "");
    OF(component_count, 33, OUT_OF_RANGE, "out_of_range", "expectations.component_count is 33; at most 32 are taken");
    OF(component_count, (size_t)-1, OUT_OF_RANGE, "out_of_range", NULL);
    OF(components, (nexa_component *)askew(many), OUT_OF_RANGE, "misaligned",
       "expectations.components is not aligned to 8 bytes");
    expected.components = &other, expected.component_count = 1;
    other.kind = text_of(not_utf8);
    ANSWERS(init(&expected), NOT_UTF8, "not_utf8", "expectations.components.kind is not UTF-8 from byte 1 on");
    other.kind = component.kind, other.value = text_of(not_utf8);
    ANSWERS(init(&expected), NOT_UTF8, "not_utf8", "expectations.components.value is not UTF-8 from byte 1 on");
    other.value.at = NULL;
    ANSWERS(init(&expected), NULL_POINTER, "null_pointer", "expectations.components.value is null");
    other.value.bytes = 0;
    SUCCEEDS(init(&expected));
    expected.device = NEXA_DEVICE_CHECK_NOT_CHECKED, expected.components = NULL, expected.component_count = 0;
    SUCCEEDS(init(&expected));
    free(longest.at), free(not_utf8.at), free(many);
}

#define INIT_KEYS(of, k, kn, s, sn, e) nexa_client_init_keys(of, k, kn, s, sn, e, &problem)

static void clients(void) {
    const json_t *rooted = case_named(cases, "key-set/shard");
    Bytes root = string(rooted, "keys"), empty = copy("", 0), junk = {(char *)memory(20000), 20000};
    nexa_client *other = (nexa_client *)calloc(1, sizeof *other);
    const uint8_t *bytes = (const uint8_t *)junk.at;
    memset(junk.at, 'N', junk.bytes);
    IS_NULL(nexa_client_init_root(NULL, root.at, root.bytes, &expected, &problem), "client");
    IS_NULL(nexa_client_init_root(client, NULL, 1, &expected, &problem), "root");
    IS_NULL(nexa_client_init_root(client, root.at, root.bytes, NULL, &problem), "expectations");
    ANSWERS(nexa_client_init_root(client, NULL, 0, &expected, &problem), REFUSED, "key_set_refused", NULL);
    MISALIGNED(nexa_client_init_root((nexa_client *)askew(client), root.at, root.bytes, &expected, &problem), "client");
    NOT_READY(nexa_client_check(client, now_s, 0, token.at, token.bytes, report, &problem), "client");
    DENIES();
    SUCCEEDS(nexa_client_init_root(client, root.at, root.bytes, &expected, &problem));
    IS_NULL(INIT_KEYS(NULL, keys.at, keys.bytes, NULL, 0, &expected), "client");
    IS_NULL(INIT_KEYS(client, NULL, 1, NULL, 0, &expected), "jwks");
    IS_NULL(INIT_KEYS(client, keys.at, keys.bytes, NULL, 1, &expected), "status_jwks");
    IS_NULL(INIT_KEYS(client, keys.at, keys.bytes, NULL, 0, NULL), "expectations");
    ANSWERS(INIT_KEYS(client, keys.at, keys.bytes, empty.at, 0, &expected), REFUSED, "key_set_refused", NULL);
    SUCCEEDS(INIT_KEYS(client, keys.at, keys.bytes, NULL, 0, &expected));
    SUCCEEDS(INIT_KEYS(client, keys.at, keys.bytes, status_keys.at, status_keys.bytes, &expected));

#define FOUND(of, at_s, t, tn, to) nexa_client_check(of, at_s, NEXA_NO_MONOTONIC, t, tn, to, &problem)
    IS_NULL(FOUND(NULL, now_s, token.at, token.bytes, report), "client");
    DENIES();
    IS_NULL(FOUND(client, now_s, NULL, 1, report), "token");
    DENIES();
    IS_NULL(FOUND(client, now_s, token.at, token.bytes, NULL), "report");
    TOO_LATE(FOUND(client, TOO_LATE_S, token.at, token.bytes, report), "wall_s");
    TOO_LATE(FOUND(client, TOO_LATE_S, NULL, 0, report), "wall_s");
    SUCCEEDS(FOUND(client, 0, NULL, 0, report));
    SUCCEEDS(nexa_client_check(client, 0, UINT64_MAX - 1, token.at, token.bytes, report, &problem));
    OVERLAPS(FOUND(client, now_s, token.at, 1, (nexa_report *)(void *)client), "client and report overlap");
    CHECK(FOUND(client, now_s, token.at, token.bytes, report) == NEXA_STATUS_OK, "the client is broken");
    CHECK(nexa_client_check(client, 0, 0, NULL, 0, report, (nexa_problem *)(void *)client) == NEXA_STATUS_OUT_OF_RANGE,
          "a problem in a client");
    NOT_READY(FOUND(other, now_s, token.at, token.bytes, report), "client");
    NOT_READY(FOUND((nexa_client *)(void *)verifier, now_s, token.at, token.bytes, report), "client");
    MISALIGNED(FOUND((nexa_client *)askew(client), now_s, token.at, token.bytes, report), "client");

    IS_NULL(nexa_client_receive(NULL, 1, 0, bytes, 1, &problem), "client");
    IS_NULL(nexa_client_receive(client, 2, 0, NULL, 1, &problem), "bytes");
    NOT_READY(nexa_client_receive(other, 2, 0, bytes, 1, &problem), "client");
    ANSWERS(nexa_client_receive(client, 0, 0, bytes, 1, &problem), OUT_OF_RANGE, "out_of_range",
            "document is 0; 1 is the key set, 2 a shard");
    ANSWERS(nexa_client_receive(client, UINT32_MAX, 0, bytes, 1, &problem), OUT_OF_RANGE, "out_of_range", NULL);
    ANSWERS(nexa_client_receive(client, 1, 0, bytes, junk.bytes, &problem), REFUSED, "not_asked", NULL);
    ANSWERS(nexa_client_receive(client, 2, 0, NULL, 0, &problem), REFUSED, "shard_length", NULL);
    ANSWERS(nexa_client_receive(client, 2, UINT32_MAX, bytes, junk.bytes, &problem), REFUSED, "shard_length", NULL);
    IS_NULL(nexa_client_failed(NULL, 1, &problem), "client");
    NOT_READY(nexa_client_failed(other, 1, &problem), "client");
    ANSWERS(nexa_client_failed(client, 3, &problem), OUT_OF_RANGE, "out_of_range", NULL);
    SUCCEEDS(nexa_client_failed(client, 2, &problem));
    free(root.at), free(empty.at), free(junk.at), free(other);
}

static void states(void) {
    const uint8_t *device = (const uint8_t *)"my-laptop";
    uint8_t *kept, *longest = (uint8_t *)calloc(1, NEXA_STATE_BYTES + 1);
    size_t needed = 7, written;
    nexa_client *other = (nexa_client *)calloc(1, sizeof *other);
#define SAVED(of, f, fn, b, bn, w) nexa_client_save(of, f, fn, b, bn, w, &problem)
#define RESTORED(of, b, bn, f, fn) nexa_client_restore(of, b, bn, f, fn, &problem)
    IS_NULL(SAVED(NULL, device, 9, longest, NEXA_STATE_BYTES, &needed), "client");
    CHECK(needed == 0, "%zu bytes of nothing", needed);
    IS_NULL(SAVED(client, NULL, 1, longest, NEXA_STATE_BYTES, &needed), "fingerprint");
    IS_NULL(SAVED(client, device, 9, NULL, NEXA_STATE_BYTES, &needed), "buffer");
    IS_NULL(SAVED(client, device, 9, longest, NEXA_STATE_BYTES, NULL), "written");
    MISALIGNED(SAVED(client, device, 9, longest, NEXA_STATE_BYTES, (size_t *)askew(&needed)), "written");
    NOT_READY(SAVED(other, device, 9, longest, NEXA_STATE_BYTES, &needed), "client");
    ANSWERS(SAVED(client, device, 9, NULL, 0, &needed), SHORT_BUFFER, "short_buffer", NULL);
    CHECK(needed > 0 && needed <= NEXA_STATE_BYTES, "%zu bytes are needed", needed);
    kept = (uint8_t *)memory(needed);
    ANSWERS(SAVED(client, device, 9, kept, needed - 1, &written), SHORT_BUFFER, "short_buffer", NULL);
    CHECK(written == needed, "%zu", written);
    SUCCEEDS(SAVED(client, device, 9, kept, needed, &written));
    OVERLAPS(SAVED(client, device, 9, (uint8_t *)client, sizeof *client, &written), "client and buffer overlap");
    OVERLAPS(SAVED(client, device, 9, (uint8_t *)&written, sizeof written, &written), "buffer and written overlap");
    IS_NULL(RESTORED(NULL, kept, needed, device, 9), "client");
    IS_NULL(RESTORED(client, kept, needed, NULL, 1), "fingerprint");
    IS_NULL(RESTORED(client, NULL, 1, device, 9), "bytes");
    NOT_READY(RESTORED(other, kept, needed, device, 9), "client");
    ANSWERS(RESTORED(client, NULL, 0, device, 9), REFUSED, "state_length", NULL);
    ANSWERS(RESTORED(client, kept, needed - 1, device, 9), REFUSED, "state_tampered", NULL);
    ANSWERS(RESTORED(client, kept, needed, device, 8), REFUSED, "state_tampered", NULL);
    ANSWERS(RESTORED(client, kept, needed, NULL, 0), REFUSED, "state_tampered", NULL);
    ANSWERS(RESTORED(client, longest, NEXA_STATE_BYTES + 1, device, 9), REFUSED, "state_length", NULL);
    ANSWERS(RESTORED(client, longest, 400, device, 9), REFUSED, "state_magic", NULL);
    SUCCEEDS(RESTORED(client, kept, needed, device, 9));
    SUCCEEDS(SAVED(client, NULL, 0, longest, NEXA_STATE_BYTES, &written));
    free(kept), free(longest), free(other);
}

/* Objects on the stack. Without NEXA_NONE, those of the second call would be what the first one has left there. */
static int checked_on_the_stack(int is_checked) {
    nexa_report found = NEXA_NONE;
    nexa_verifier made = NEXA_NONE;
    nexa_client known = NEXA_NONE;
    if (is_checked) {
        SUCCEEDS(nexa_verifier_init(&made, keys.at, keys.bytes, &expected, &problem));
        SUCCEEDS(nexa_client_init_keys(&known, keys.at, keys.bytes, NULL, 0, &expected, &problem));
        SUCCEEDS(CHECKED(&made, now_s, token.at, token.bytes, "[]", 2, &found));
    } else {
        NOT_READY(CHECKED(&made, now_s, token.at, token.bytes, "[]", 2, report), "verifier");
        NOT_READY(nexa_client_failed(&known, NEXA_DOCUMENT_SHARD, &problem), "client");
    }
    return nexa_report_decision(&found) == NEXA_DECISION_ALLOW;
}

static void reports(void) {
    nexa_report *zeroed = (nexa_report *)calloc(1, sizeof *zeroed), *copied = (nexa_report *)memory(sizeof *copied);
    const nexa_report *none[4];
    Bytes not_utf8 = copy("\xff", 1), longest;
    const json_t *one = case_named(cases, "valid/longest-token");
    json_t *read;
    uint64_t limit;
    uint32_t number;
    size_t i;
    none[0] = NULL, none[1] = zeroed, none[2] = (nexa_report *)askew(report), none[3] = (nexa_report *)(void *)client;
    for (i = 0; i < 4; i++) {
        limit = 7, number = 7;
        CHECK(nexa_report_decision(none[i]) == NEXA_DECISION_DENY, "report %zu", i);
        CHECK(strcmp(nexa_report_code(none[i]), "not_ready") == 0, "report %zu", i);
        CHECK(strcmp(nexa_report_message(none[i]), "no licence was checked") == 0, "report %zu", i);
        CHECK(nexa_report_json(none[i]) == NULL && nexa_report_url(none[i]) == NULL, "report %zu", i);
        CHECK(nexa_report_allows(none[i], "x", 1) == 0, "report %zu", i);
        CHECK(nexa_report_limit(none[i], "x", 1, &limit) < 0 && limit == 0, "report %zu", i);
        CHECK(nexa_report_wanted(none[i], &number) == NEXA_DOCUMENT_NOTHING && number == 0, "report %zu", i);
        CHECK(nexa_report_wanted(none[i], NULL) == NEXA_DOCUMENT_NOTHING, "report %zu", i);
    }
    CHECK(checked_on_the_stack(1), "a good licence is refused");
    CHECK(!checked_on_the_stack(0), "a report that was never written allows");
    ALLOWED();
    CHECK(nexa_report_allows(report, NULL, 0) == 0 && nexa_report_allows(report, NULL, 1) == 0, "nothing is listed");
    CHECK(nexa_report_allows(report, not_utf8.at, 1) == 0, "not UTF-8 is listed");
    CHECK(nexa_report_limit(report, NULL, 1, &limit) == NEXA_STATUS_NULL_POINTER, "name");
    CHECK(nexa_report_limit(report, NULL, 0, &limit) == NEXA_STATUS_MISSING, "name");
    CHECK(nexa_report_limit(report, not_utf8.at, 1, &limit) == NEXA_STATUS_NOT_UTF8, "name");
    CHECK(nexa_report_limit(report, "x", 1, NULL) == NEXA_STATUS_NULL_POINTER, "limit");
    CHECK(nexa_report_limit(report, "x", 1, (uint64_t *)askew(&limit)) == NEXA_STATUS_OUT_OF_RANGE, "limit");
    /* A copy answers for itself when what it was copied from is gone. */
    memcpy(copied, report, sizeof *copied);
    memset(report, 0, sizeof *report);
    CHECK(nexa_report_decision(copied) == NEXA_DECISION_ALLOW && strlen(nexa_report_json(copied)) > 0, "a copy");
    /* The longest token of the file, whole in the report; the longest reports are in the tests of the sources. */
    longest = string(one, "token");
    CHECK(longest.bytes == 4096, "%zu bytes", longest.bytes);
    SUCCEEDS(nexa_verifier_init(verifier, keys.at, keys.bytes, &expected, &problem));
    SUCCEEDS(CHECKED(verifier, (uint64_t)json_integer_value(json_object_get(one, "time")), longest.at, longest.bytes, NULL, 0,
                     report));
    read = json_loads(nexa_report_json(report), 0, NULL);
    CHECK(strcmp(json_string_value(json_object_get(read, "code")), "valid") == 0, "%s", nexa_report_json(report));
    json_decref(read);
    free(longest.at), free(not_utf8.at), free(zeroed), free(copied);
}

int main(int count, char **arguments) {
    cases = cases_of(count == 2 ? arguments[1] : "license-vectors.json");
    memset(&problem, 'x', sizeof problem);
    CHECK(nexa_bytes(NEXA_OBJECT_VERIFIER) == sizeof(nexa_verifier), "verifier");
    CHECK(nexa_bytes(NEXA_OBJECT_CLIENT) == sizeof(nexa_client), "client");
    CHECK(nexa_bytes(NEXA_OBJECT_REPORT) == sizeof(nexa_report), "report");
    CHECK(nexa_bytes(NEXA_OBJECT_STATE) == NEXA_STATE_BYTES, "state");
    CHECK(nexa_bytes(0) == 0 && nexa_bytes(5) == 0 && nexa_bytes(UINT32_MAX) == 0, "no object");
    CHECK(strcmp(nexa_version(), "0.1.0") == 0, "%s", nexa_version());
    prepare();
    verifiers();
    expectations();
    clients();
    states();
    reports();
    free((void *)(size_t)expected.issuer.at), free((void *)(size_t)expected.audience.at);
    free((void *)(size_t)component.kind.at), free((void *)(size_t)component.value.at);
    free(keys.at), free(status_keys.at), free(token.at), free(verifier), free(client), free(report);
    json_decref(cases);
    if (failures == 0) puts("wrong calls are answered");
    return failures == 0 ? 0 : 1;
}
