/* What the tests in C share: the conformance file read by jansson, copies of exact size on the heap, and a check that counts. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nexa_verify.h"

/* Says what does not hold, and goes on; the program ends with how many there were. */
static int failures;
#define CHECK(holds, ...) ((holds) ? (void)0 : (failures++, printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), (void)puts("")))

/* Bytes in a block of their own: one read too many is seen by valgrind and AddressSanitizer. */
typedef struct {
    char *at;
    size_t bytes;
} Bytes;

static inline void *memory(size_t bytes) {
    void *block = malloc(bytes > 0 ? bytes : 1);
    if (block == NULL) abort();
    return block;
}

static inline Bytes copy(const char *at, size_t bytes) {
    Bytes block;
    block.at = (char *)memory(bytes);
    block.bytes = bytes;
    if (bytes > 0) memcpy(block.at, at, bytes);
    return block;
}

static inline nexa_text text_of(Bytes bytes) {
    nexa_text text;
    text.at = bytes.at;
    text.bytes = bytes.bytes;
    return text;
}

/* A string of the file, which may hold zero bytes; nothing, with a null pointer, where it is absent. */
static inline Bytes string(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    Bytes none = {NULL, 0};
    return json_is_string(value) ? copy(json_string_value(value), json_string_length(value)) : none;
}

/* The same, in base64url. */
static inline Bytes document(const json_t *object, const char *name) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    Bytes text = string(object, name), bytes;
    unsigned long kept = 0;
    size_t i;
    int bits = 0;
    if (text.at == NULL) return text;
    bytes.at = (char *)memory(text.bytes * 3 / 4);
    bytes.bytes = 0;
    for (i = 0; i < text.bytes; i++) {
        const char *digit = strchr(digits, text.at[i]);
        if (digit == NULL) abort();
        kept = (kept << 6 | (unsigned long)(digit - digits)) & 0xffff;
        bits += 6;
        if (bits >= 8) bits -= 8, bytes.at[bytes.bytes++] = (char)(kept >> bits & 0xff);
    }
    free(text.at);
    return bytes;
}

static inline json_t *cases_of(const char *path) {
    json_error_t error;
    json_t *file = json_load_file(path, JSON_ALLOW_NUL, &error), *cases = json_object_get(file, "cases");
    if (!json_is_array(cases)) {
        printf("%s: %s\n", path, file == NULL ? error.text : "it has no cases");
        exit(2);
    }
    json_incref(cases);
    json_decref(file);
    return cases;
}

static inline json_t *case_named(const json_t *cases, const char *name) {
    json_t *one;
    size_t i;
    json_array_foreach(cases, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "name")), name) == 0) return one;
    }
    printf("there is no case %s\n", name);
    exit(2);
}

#endif
