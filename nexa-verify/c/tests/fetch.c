/* nexa_fetch.h and nexa_file.h: how updates end, what is not fetched, and that a state in a file is whole or was never there. */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include "nexa_fetch.h"
#include "nexa_file.h"
#include "support.h"

static json_t *cases;
static nexa_problem problem;
static nexa_report report;
static nexa_client client;

/* One document for every question, or none. */
typedef struct {
    Bytes document;
    int asked;
} Shelf;

static size_t from_shelf(void *context, const char *url, uint32_t document, uint32_t number, uint8_t *bytes, size_t room,
                         nexa_problem *why) {
    Shelf *shelf = (Shelf *)context;
    (void)url, (void)document, (void)number;
    shelf->asked++;
    if (shelf->document.at == NULL || shelf->document.bytes > room) {
        nexa_problem_set(why, "nowhere", "there is none");
        return SIZE_MAX;
    }
    memcpy(bytes, shelf->document.at, shelf->document.bytes);
    return shelf->document.bytes;
}

static void begin(const json_t *one) {
    Bytes root = string(one, "keys"), issuer = string(json_object_get(one, "expect"), "issuer");
    nexa_expectations expected;
    memset(&expected, 0, sizeof expected);
    expected.issuer = text_of(issuer), expected.audience = nexa_text_of("editor");
    expected.device = NEXA_DEVICE_CHECK_NOT_CHECKED;
    CHECK(nexa_client_init_root(&client, root.at, root.bytes, &expected, &problem) == NEXA_STATUS_OK, "%s", problem.message);
    free(root.at), free(issuer.at);
}

static void updates(void) {
    const json_t *one = case_named(cases, "key-set/shard"), *expect = json_object_get(one, "expect");
    Bytes token = string(one, "token");
    uint64_t now_s = (uint64_t)json_integer_value(json_object_get(one, "time"));
    nexa_notes notes;
    Shelf shelf;
    nexa_status status;
    /* Nothing can be had: each document is asked for once, and the check is answered. */
    begin(one);
    shelf.document.at = NULL, shelf.asked = 0;
    status = nexa_update_by(&client, now_s, 1, token.at, token.bytes, from_shelf, &shelf, &report, &notes, &problem);
    CHECK(status == NEXA_STATUS_OK && shelf.asked == 1 && notes.count == 1, "%d times", shelf.asked);
    CHECK(strcmp(notes.notes[0].problem.code, "nowhere") == 0, "%s", notes.notes[0].problem.code);
    CHECK(strcmp(nexa_report_code(&report), "unknown_key") == 0, "%s", nexa_report_code(&report));
    /* What is no shard is refused where a shard is wanted; the key set is taken. */
    begin(one);
    shelf.document = document(expect, "key_set"), shelf.asked = 0;
    status = nexa_update_by(&client, now_s, 1, token.at, token.bytes, from_shelf, &shelf, &report, &notes, &problem);
    CHECK(status == NEXA_STATUS_OK && shelf.asked == 2 && notes.count == 1, "%d times", shelf.asked);
    CHECK(notes.notes[0].document == NEXA_DOCUMENT_SHARD, "document %u", notes.notes[0].document);
    CHECK(strncmp(notes.notes[0].problem.code, "shard_", 6) == 0, "%s", notes.notes[0].problem.code);
    CHECK(nexa_report_decision(&report) == NEXA_DECISION_ALLOW, "%s", nexa_report_json(&report));
    /* A wrong argument ends it. */
    status = nexa_update_by(&client, UINT64_MAX, 1, token.at, token.bytes, from_shelf, &shelf, &report, NULL, &problem);
    CHECK(status == NEXA_STATUS_OUT_OF_RANGE, "%d", status);
    CHECK(nexa_report_decision(&report) == NEXA_DECISION_DENY, "it is let pass");
    /* So it does where the library itself writes nothing, since the problem would break the report. */
    status = nexa_update_by(&client, now_s, 1, token.at, token.bytes, from_shelf, &shelf, &report, NULL, &problem);
    CHECK(status == NEXA_STATUS_OK && nexa_report_decision(&report) == NEXA_DECISION_ALLOW, "%d", status);
    status = nexa_update_by(&client, now_s, 1, token.at, token.bytes, from_shelf, &shelf, &report, NULL,
                            (nexa_problem *)(void *)(&report + 1) - 1);
    CHECK(status == NEXA_STATUS_OUT_OF_RANGE && nexa_report_decision(&report) == NEXA_DECISION_DENY, "%d", status);
    status = nexa_update_by(NULL, now_s, 1, token.at, token.bytes, from_shelf, &shelf, NULL, NULL, NULL);
    CHECK(status == NEXA_STATUS_NULL_POINTER, "%d", status);
    free(shelf.document.at), free(token.at);
}

static void files(const char *folder) {
    char path[512], text[8];
    uint8_t first[NEXA_STATE_BYTES], second[NEXA_STATE_BYTES];
    size_t length;
    FILE *file;
    snprintf(path, sizeof path, "%s/app.state", folder);
    CHECK(nexa_state_load(&client, path, "f", &problem) == NEXA_STATUS_OK, "no file is no failure: %s", problem.message);
    CHECK(nexa_state_keep(&client, path, "f", &problem) == NEXA_STATUS_OK, "%s", problem.message);
    length = nexa_file_read(path, first, sizeof first);
    CHECK(length != SIZE_MAX && nexa_state_load(&client, path, "f", &problem) == NEXA_STATUS_OK, "%s", problem.message);
    CHECK(nexa_state_load(&client, path, "g", &problem) == NEXA_STATUS_REFUSED, "another device");
    CHECK(strcmp(problem.code, "state_tampered") == 0, "%s", problem.code);
    CHECK(nexa_state_keep(&client, path, "f", NULL) == NEXA_STATUS_OK, "once more");
    CHECK(nexa_file_read(path, second, sizeof second) == length && memcmp(first, second, length) == 0, "it has changed");
    CHECK(nexa_file_read(path, second, length - 1) == SIZE_MAX && errno == EFBIG, "it is too long: %d", errno);
    snprintf(path, sizeof path, "%s/none/app.state", folder);
    CHECK(nexa_state_keep(&client, path, "f", &problem) == NEXA_STATUS_REFUSED, "no folder");
    CHECK(strcmp(problem.code, "not_kept") == 0, "%s", problem.code);
    CHECK(nexa_state_load(&client, folder, "f", &problem) == NEXA_STATUS_REFUSED, "a folder is no file");
    CHECK(strcmp(problem.code, "not_read") == 0, "%s", problem.code);
    snprintf(path, sizeof path, "%s/text", folder);
    file = fopen(path, "wb");
    if (file == NULL || fputs("a b\r\n \n", file) < 0 || fclose(file) != 0) abort();
    CHECK(nexa_file_text(path, text, sizeof text) == 3 && memcmp(text, "a b", 3) == 0, "blanks");
    CHECK(nexa_fetch_from_folder((void *)(size_t)folder, "", NEXA_DOCUMENT_SHARD, 7, first, sizeof first, &problem) == SIZE_MAX,
          "a shard out of nowhere");
    CHECK(strcmp(problem.code, "not_read") == 0, "%s", problem.code);
}

#ifndef NEXA_NO_CURL
/* Answers each connection by its path: so many bytes, or a redirect. */
static void *serve(void *context) {
    int listener = *(int *)context;
    for (;;) {
        char request[2048] = "", target[1024] = "", *answer = (char *)memory(40000);
        int peer = accept(listener, NULL, NULL), length;
        if (peer < 0) abort();
        if (read(peer, request, sizeof request - 1) <= 0) request[0] = '\0';
        if (sscanf(request, "GET /to/%1000s", target) == 1) {
            length = sprintf(answer, "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n", target);
        } else if (sscanf(request, "GET /bytes/%1000s", target) == 1) {
            int bytes = atoi(target), head;
            head = sprintf(answer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
            memset(answer + head, 'x', (size_t)bytes);
            length = head + bytes;
        } else {
            length = sprintf(answer, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
        }
        if (write(peer, answer, (size_t)length) != length) puts("the peer has gone");
        free(answer);
        close(peer);
        if (strncmp(request, "GET /end", 8) == 0) return NULL;
    }
}

static void fetches(void) {
    struct sockaddr_in address;
    socklen_t address_bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t server;
    uint8_t *bytes = (uint8_t *)memory(NEXA_DOCUMENT_BYTES);
    char url[256];
    size_t i;
    static const struct {
        const char *path, *code;
        size_t bytes;
    } expected[] = {
        {"/bytes/0", "", 0},
        {"/bytes/300", "", 300},
        {"/bytes/16384", "", 16384},
        {"/bytes/16385", "too_long", SIZE_MAX},
        {"/bytes/30000", "too_long", SIZE_MAX},
        {"/elsewhere", "unreachable", SIZE_MAX},
        {"/to/bytes/7", "unreachable", SIZE_MAX}, /* relative, and so to itself: five times */
        {"/to//bytes/7", "", 7},
        {"/to/file:///etc/passwd", "unreachable", SIZE_MAX}, /* these three: not even tried */
        {"/to/https://127.0.0.1/", "unreachable", SIZE_MAX},
        {"/to/ftp://127.0.0.1/", "unreachable", SIZE_MAX},
        {"/end", "unreachable", SIZE_MAX},
    };
    static const char *const refused[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "/etc/passwd", "",
                                          "HTTP://127.0.0.1/", "httpx://127.0.0.1/"};
    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET, address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &address_bytes) != 0 ||
        pthread_create(&server, NULL, serve, &listener) != 0)
        abort();
    for (i = 0; i < sizeof expected / sizeof *expected; i++) {
        size_t found;
        snprintf(url, sizeof url, "http://127.0.0.1:%u%s", ntohs(address.sin_port), expected[i].path);
        nexa_problem_set(&problem, "", "");
        found = nexa_fetch(NULL, url, NEXA_DOCUMENT_SHARD, 0, bytes, NEXA_DOCUMENT_BYTES, &problem);
        CHECK(found == expected[i].bytes && strcmp(problem.code, expected[i].code) == 0, "%s: %zu, %s: %s", url, found,
              problem.code, problem.message);
        if (strncmp(expected[i].path, "/to/", 4) == 0 && strstr(expected[i].path, ":/") != NULL)
            CHECK(strcmp(problem.message, curl_easy_strerror(CURLE_UNSUPPORTED_PROTOCOL)) == 0, "%s: %s", url, problem.message);
    }
    pthread_join(server, NULL);
    close(listener);
    for (i = 0; i < sizeof refused / sizeof *refused; i++) {
        size_t found = nexa_fetch(NULL, refused[i], NEXA_DOCUMENT_SHARD, 0, bytes, NEXA_DOCUMENT_BYTES, &problem);
        CHECK(found == SIZE_MAX && strcmp(problem.code, "not_http") == 0, "%s: %s", refused[i], problem.code);
    }
    free(bytes);
}
#endif

int main(int count, char **arguments) {
    if (count != 3) return 2;
    cases = cases_of(arguments[1]);
    updates();
    files(arguments[2]);
#ifndef NEXA_NO_CURL
    signal(SIGPIPE, SIG_IGN); /* who has read enough hangs up */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    fetches();
    curl_global_cleanup();
#endif
    json_decref(cases);
    if (failures == 0) puts("updates end, files are whole, and only http and https are fetched");
    return failures == 0 ? 0 : 1;
}
