/* The conformance file in C: what crosses the interface agrees with every case. Objects stand in memory that was never written
 * to, everything passed in a block of its exact size.
 */
#include "support.h"

enum { CASES = 852, MOST_COMPONENTS = 32 };

/* A report as JSON; or null and, in `problem`, the code of the rule that refused keys or a document. */
static json_t *by_verifier(const json_t *one, const nexa_expectations *expectations, nexa_problem *problem) {
    const json_t *revocations = json_object_get(json_object_get(one, "expect"), "revocations");
    nexa_verifier *verifier = (nexa_verifier *)memory(sizeof *verifier);
    nexa_report *report = (nexa_report *)memory(sizeof *report);
    Bytes keys = string(one, "keys"), token = string(one, "token"), list = {NULL, 0};
    uint64_t now_s = (uint64_t)json_integer_value(json_object_get(one, "time"));
    json_t *found = NULL;
    if (revocations != NULL) {
        char *text = json_dumps(revocations, JSON_COMPACT);
        list = copy(text, strlen(text));
        free(text);
    }
    if (nexa_verifier_init(verifier, keys.at, keys.bytes, expectations, problem) == NEXA_STATUS_OK &&
        nexa_verifier_check(verifier, now_s, token.at, token.bytes, list.at, list.bytes, report, problem) ==
            NEXA_STATUS_OK)
        found = json_loads(nexa_report_json(report), JSON_ALLOW_NUL, NULL);
    free(list.at), free(token.at), free(keys.at), free(report), free(verifier);
    return found;
}

static nexa_status receive(nexa_client *client, nexa_document kind, Bytes bytes, uint32_t number,
                           nexa_problem *problem) {
    if (bytes.at == NULL) return NEXA_STATUS_OK;
    return nexa_client_receive(client, kind, number, (const uint8_t *)bytes.at, bytes.bytes, problem);
}

static json_t *by_client(const json_t *one, const nexa_expectations *expectations, nexa_problem *problem) {
    const json_t *expect = json_object_get(one, "expect");
    nexa_client *client = (nexa_client *)memory(sizeof *client);
    nexa_report *report = (nexa_report *)memory(sizeof *report);
    Bytes keys = string(one, "keys"), status_keys = string(expect, "status_keys"), token = string(one, "token");
    Bytes key_set = document(expect, "key_set"), shard = document(expect, "shard"), delta = document(expect, "delta");
    uint64_t now_s = (uint64_t)json_integer_value(json_object_get(one, "time"));
    uint32_t number = 0;
    nexa_status status;
    json_t *found = NULL;
    size_t i;
    /* The number stands behind magic and thumbprint. */
    for (i = 12; i < 16 && shard.bytes >= 16; i++) number = number << 8 | (uint8_t)shard.at[i];
    status = status_keys.at != NULL ? nexa_client_init_keys(client, keys.at, keys.bytes, status_keys.at, status_keys.bytes,
                                                            expectations, problem)
                                    : nexa_client_init_root(client, keys.at, keys.bytes, expectations, problem);
    if (status == NEXA_STATUS_OK) status = receive(client, NEXA_DOCUMENT_KEY_SET, key_set, 0, problem);
    if (status == NEXA_STATUS_OK) status = receive(client, NEXA_DOCUMENT_SHARD, shard, number, problem);
    if (status == NEXA_STATUS_OK) status = receive(client, NEXA_DOCUMENT_SHARD, delta, number, problem);
    if (status == NEXA_STATUS_OK)
        status = nexa_client_check(client, now_s, NEXA_NO_MONOTONIC, token.at, token.bytes, report, problem);
    if (status == NEXA_STATUS_OK) found = json_loads(nexa_report_json(report), JSON_ALLOW_NUL, NULL);
    free(delta.at), free(shard.at), free(key_set.at), free(token.at), free(status_keys.at), free(keys.at);
    free(report), free(client);
    return found;
}

/* A fact under its name, wherever it stands in the report. */
static const json_t *fact(const json_t *report, const char *name) {
    const json_t *places[3], *value;
    size_t i;
    places[0] = report, places[1] = json_object_get(report, "license"), places[2] = json_object_get(report, "device");
    for (i = 0; i < 3; i++) {
        value = json_object_get(places[i], name);
        if (value != NULL) return value;
    }
    return json_null();
}

static int agrees(const json_t *one) {
    const json_t *expect = json_object_get(one, "expect"), *device = json_object_get(expect, "device");
    nexa_component *components = (nexa_component *)memory(sizeof *components * MOST_COMPONENTS);
    nexa_expectations *expectations = (nexa_expectations *)memory(sizeof *expectations);
    nexa_problem *problem = (nexa_problem *)memory(sizeof *problem);
    Bytes issuer = string(expect, "issuer"), audience = string(expect, "audience");
    const char *code, *decision, *name;
    json_t *value, *report;
    size_t count = 0, i;
    int is_equal;
    json_object_foreach((json_t *)(size_t)device, name, value) {
        Bytes kind = copy(name, strlen(name)), of_device = copy(json_string_value(value), json_string_length(value));
        if (count == MOST_COMPONENTS) abort();
        components[count].kind = text_of(kind), components[count].value = text_of(of_device);
        count++;
    }
    expectations->issuer = text_of(issuer), expectations->audience = text_of(audience);
    expectations->components = components, expectations->component_count = count;
    expectations->device = device != NULL ? NEXA_DEVICE_CHECK_COMPONENTS : NEXA_DEVICE_CHECK_NOT_CHECKED;
    expectations->max_lifetime_s = (uint64_t)json_integer_value(json_object_get(expect, "max_lifetime_s"));
    report = json_object_get(expect, "key_set") != NULL || json_object_get(expect, "status_keys") != NULL
                 ? by_client(one, expectations, problem)
                 : by_verifier(one, expectations, problem);
    code = report != NULL ? json_string_value(json_object_get(report, "code")) : problem->code;
    decision = report != NULL ? json_string_value(json_object_get(report, "decision")) : "deny";
    is_equal = code != NULL && strcmp(code, json_string_value(json_object_get(one, "code"))) == 0 && decision != NULL &&
               strcmp(decision, json_string_value(json_object_get(one, "decision"))) == 0;
    if (report == NULL) is_equal = is_equal && json_object_size(json_object_get(one, "facts")) == 0;
    json_object_foreach(json_object_get(one, "facts"), name, value) {
        is_equal = is_equal && json_equal(fact(report, name), value);
    }
    CHECK(is_equal, "%s: %s, %s", json_string_value(json_object_get(one, "name")), code, decision);
    json_decref(report);
    for (i = 0; i < count; i++) free((void *)(size_t)components[i].kind.at), free((void *)(size_t)components[i].value.at);
    free(audience.at), free(issuer.at), free(problem), free(expectations), free(components);
    return is_equal;
}

int main(int count, char **arguments) {
    json_t *cases = cases_of(count == 2 ? arguments[1] : "license-vectors.json"), *one;
    size_t i, equal = 0;
    json_array_foreach(cases, i, one) equal += (size_t)agrees(one);
    CHECK(equal == CASES && json_array_size(cases) == CASES, "%zu of %zu agree", equal, json_array_size(cases));
    json_decref(cases);
    if (failures == 0) printf("%d cases agree\n", CASES);
    return failures == 0 ? 0 : 1;
}
