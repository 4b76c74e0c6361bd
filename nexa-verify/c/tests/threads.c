/* Threads: eight share one verifier, on stacks as small as musl makes them; and how much of its stack each function needs.
 *
 *     threads VECTORS ROUNDS [stack | warm]
 *
 * `warm` is for helgrind: the first check finds out what the processor can do, which all of the first may do at once, by relaxed
 * atomics that helgrind takes for a race.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>

#include "support.h"

enum { THREADS = 8, SMALL_STACK = 128 * 1024, PAINTED = 1024 * 1024, PROMISED = 96 * 1024 };
static const unsigned char PAINT = 0xa5;

static nexa_verifier *verifier;
static nexa_client *client;
static nexa_report *report;
static nexa_problem problem;
static nexa_expectations expected;
static Bytes keys, status_keys, root, token, shard, delta, key_set;
static uint64_t now_s;
static uint32_t number;
static uint8_t state[NEXA_STATE_BYTES];
static size_t state_bytes;
static long rounds;
static nexa_status status;

static void *check_together(void *at) {
    nexa_report *own = (nexa_report *)memory(sizeof *own);
    size_t *wrong = (size_t *)at;
    long i;
    for (i = 0; i < rounds; i++) {
        const int is_list = (i & 1) != 0;
        nexa_problem said;
        if (nexa_verifier_check(verifier, now_s, token.at, token.bytes, is_list ? "[]" : NULL, is_list ? 2 : 0, own, &said) !=
                NEXA_STATUS_OK ||
            nexa_report_decision(own) != NEXA_DECISION_ALLOW || said.code[0] != '\0')
            ++*wrong;
    }
    free(own);
    return NULL;
}

static void share(void) {
    pthread_t threads[THREADS];
    size_t wrong[THREADS] = {0}, i;
    pthread_attr_t small;
    CHECK(pthread_attr_init(&small) == 0 && pthread_attr_setstacksize(&small, SMALL_STACK) == 0, "a small stack");
    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], &small, check_together, &wrong[i]) != 0) abort();
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CHECK(wrong[i] == 0, "thread %zu: %zu checks were answered wrongly", i, wrong[i]);
    }
    pthread_attr_destroy(&small);
}

static void nothing(void) { status = NEXA_STATUS_OK; }
static void init(void) { status = nexa_verifier_init(verifier, keys.at, keys.bytes, &expected, &problem); }
static void check(void) { status = nexa_verifier_check(verifier, now_s, token.at, token.bytes, "[]", 2, report, &problem); }
static void init_root(void) { status = nexa_client_init_root(client, root.at, root.bytes, &expected, &problem); }
static void init_keys(void) {
    status = nexa_client_init_keys(client, keys.at, keys.bytes, status_keys.at, status_keys.bytes, &expected, &problem);
}
static void receive(nexa_document kind, Bytes bytes) {
    status = nexa_client_receive(client, kind, number, (const uint8_t *)bytes.at, bytes.bytes, &problem);
}
static void receive_shard(void) { receive(NEXA_DOCUMENT_SHARD, shard); }
static void receive_delta(void) { receive(NEXA_DOCUMENT_SHARD, delta); }
static void receive_key_set(void) { receive(NEXA_DOCUMENT_KEY_SET, key_set); }
static void client_check(void) { status = nexa_client_check(client, now_s, 1, token.at, token.bytes, report, &problem); }
static void failed(void) { status = nexa_client_failed(client, NEXA_DOCUMENT_SHARD, &problem); }
static void save(void) { status = nexa_client_save(client, state, 1, state, sizeof state, &state_bytes, &problem); }
static void restore(void) { status = nexa_client_restore(client, state, state_bytes, (const uint8_t *)"", 0, &problem); }
static void save_first(void) {
    status = nexa_client_save(client, (const uint8_t *)"", 0, state, sizeof state, &state_bytes, &problem);
}
static void look(void) {
    uint64_t limit;
    nexa_report_allows(report, "x", 1), nexa_report_limit(report, "x", 1, &limit);
    nexa_report_wanted(report, NULL), nexa_report_json(report);
    status = NEXA_STATUS_OK;
}

typedef struct {
    const char *name;
    void (*call)(void);
} Function;

static void *call(void *function) {
    ((const Function *)function)->call();
    return NULL;
}

/* How far down a thread that makes this call writes to its stack. */
static size_t depth(const Function *function) {
    unsigned char *stack = (unsigned char *)mmap(NULL, PAINTED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_t attributes;
    pthread_t thread;
    size_t untouched = 0;
    if (stack == (unsigned char *)MAP_FAILED) abort();
    memset(stack, PAINT, PAINTED);
    pthread_attr_init(&attributes);
    CHECK(pthread_attr_setstack(&attributes, stack, PAINTED) == 0, "a painted stack");
    if (pthread_create(&thread, &attributes, call, (void *)(size_t)function) != 0) abort();
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    while (untouched < PAINTED && stack[untouched] == PAINT) untouched++;
    munmap(stack, PAINTED);
    CHECK(status == NEXA_STATUS_OK, "%s: %d, %s: %s", function->name, status, problem.code, problem.message);
    return PAINTED - untouched;
}

static void measure(void) {
    static const Function base = {"nothing", nothing};
    static const Function functions[] = {
        {"nexa_verifier_init", init},          {"nexa_verifier_check", check},
        {"nexa_client_init_keys", init_keys},  {"nexa_client_receive: a shard", receive_shard},
        {"nexa_client_receive: a delta", receive_delta}, {"nexa_client_check", client_check},
        {"nexa_client_failed", failed},        {"nexa_client_save", save_first},
        {"nexa_client_restore", restore},      {"nexa_client_save again", save},
        {"nexa_report_…", look},               {"nexa_client_init_root", init_root},
        {"nexa_client_receive: a key set", receive_key_set}, {"nexa_client_check with a key set", client_check},
    };
    size_t none = depth(&base), i;
    for (i = 0; i < sizeof functions / sizeof *functions; i++) {
        size_t needed = depth(&functions[i]) - none;
        printf("%6zu bytes of stack: %s\n", needed, functions[i].name);
        CHECK(needed < PROMISED, "%s needs more stack than the header says", functions[i].name);
    }
}

int main(int count, char **arguments) {
    json_t *cases = cases_of(count > 1 ? arguments[1] : "license-vectors.json");
    const json_t *one = case_named(cases, "delta/changes-nothing"), *expect = json_object_get(one, "expect");
    const json_t *rooted = case_named(cases, "key-set/shard");
    size_t i;
    rounds = count > 2 ? strtol(arguments[2], NULL, 10) : 1000;
    keys = string(one, "keys"), token = string(one, "token"), status_keys = string(expect, "status_keys");
    shard = document(expect, "shard"), delta = document(expect, "delta");
    root = string(rooted, "keys"), key_set = document(json_object_get(rooted, "expect"), "key_set");
    for (i = 12; i < 16; i++) number = number << 8 | (uint8_t)shard.at[i];
    now_s = (uint64_t)json_integer_value(json_object_get(one, "time"));
    expected.issuer = text_of(string(expect, "issuer")), expected.audience = text_of(string(expect, "audience"));
    expected.device = NEXA_DEVICE_CHECK_NOT_CHECKED;
    verifier = (nexa_verifier *)memory(sizeof *verifier), client = (nexa_client *)memory(sizeof *client);
    report = (nexa_report *)memory(sizeof *report);
    init();
    CHECK(status == NEXA_STATUS_OK, "%s", problem.message);
    if (count > 3 && strcmp(arguments[3], "warm") == 0) check();
    share();
    if (count > 3 && strcmp(arguments[3], "stack") == 0) measure();
    if (failures == 0) printf("%d threads share a verifier\n", THREADS);
    free(keys.at), free(status_keys.at), free(root.at), free(token.at), free(shard.at), free(delta.at), free(key_set.at);
    free((void *)(size_t)expected.issuer.at), free((void *)(size_t)expected.audience.at);
    free(verifier), free(client), free(report);
    json_decref(cases);
    return failures == 0 ? 0 : 1;
}
