/* The load generator for NRPE over TLS: so many callers, each of which connects, shakes hands, sends a query of version
 * 4, reads the answer, checks it, and begins again, as check_nrpe does. No session is resumed and no certificate
 * verified, as check_nrpe does neither without being told to.
 *
 *     nrpeload PORT COMMAND EXPECTED CALLERS SECONDS [quick-ack]
 *
 * With quick-ack what the server sends is acknowledged at once, which check_nrpe does not ask for: a server that leaves
 * Nagle's algorithm on (RFC 896) then has nothing to wait for.
 *
 * Prints one JSON object. Build: cc -O2 -pthread -o nrpeload nrpeload.c -lssl -lcrypto -lz
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum { QUERY_BYTES = 1036, HEADER_BYTES = 16, MOST_ANSWER_BYTES = 70000, MOST_TIMES = 200000 };

struct caller {
    pthread_t thread;
    long answered, wrong, lost, count;
    float *times;
};

static unsigned char query[QUERY_BYTES];
static const char *expected;
static struct sockaddr_in address;
static SSL_CTX *context;
static double begin, end;
static int acknowledges_at_once;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void put(unsigned char *at, uint32_t value) {
    value = htonl(value);
    memcpy(at, &value, 4);
}

static uint32_t get(const unsigned char *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return ntohl(value);
}

static void spell(const char *command) {
    query[1] = 4;
    query[3] = 1;
    put(query + 12, QUERY_BYTES - HEADER_BYTES);
    snprintf((char *)query + HEADER_BYTES, QUERY_BYTES - HEADER_BYTES, "%s", command);
    put(query + 4, crc32(0, query, QUERY_BYTES));
}

/* Whether an answer is a whole packet of version 4 with result 0 and the expected text. */
static int is_right(unsigned char *answer, int length) {
    if (length < HEADER_BYTES || answer[1] != 4 || answer[3] != 2 || answer[8] || answer[9]) return 0;
    if ((uint32_t)length != HEADER_BYTES + get(answer + 12)) return 0;
    uint32_t sum = get(answer + 4);
    put(answer + 4, 0);
    return crc32(0, answer, length) == sum && strncmp((char *)answer + HEADER_BYTES, expected, strlen(expected)) == 0;
}

/* Ask once: 1 for the right answer, 0 for another, -1 for none. */
static int ask(unsigned char *answer) {
    int result = -1, one = 1, length = 0, got;
    struct timeval patience = {15, 0};
    int client = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    SSL *tls = SSL_new(context);
    if (acknowledges_at_once) setsockopt(client, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
    if (connect(client, (struct sockaddr *)&address, sizeof address) == 0 && SSL_set_fd(tls, client) == 1
        && SSL_connect(tls) == 1 && SSL_write(tls, query, QUERY_BYTES) == QUERY_BYTES) {
        // The kernel may have forgotten it meanwhile (tcp(7)).
        if (acknowledges_at_once) setsockopt(client, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
        while (length < MOST_ANSWER_BYTES && (got = SSL_read(tls, answer + length, MOST_ANSWER_BYTES - length)) > 0) {
            length += got;
            if (length >= HEADER_BYTES && (uint32_t)length >= HEADER_BYTES + get(answer + 12)) break;
        }
        if (length > 0) result = is_right(answer, length);
        SSL_shutdown(tls);
    }
    SSL_free(tls);
    close(client);
    return result;
}

static void *call(void *argument) {
    struct caller *caller = argument;
    unsigned char *answer = malloc(MOST_ANSWER_BYTES);
    for (double started; (started = now()) < end;) {
        int result = ask(answer);
        double done = now();
        if (started < begin || done > end) continue;
        caller->answered += result == 1;
        caller->wrong += result == 0;
        caller->lost += result < 0;
        if (result == 1 && caller->count < MOST_TIMES) caller->times[caller->count++] = done - started;
    }
    free(answer);
    return NULL;
}

static int by_size(const void *one, const void *other) {
    float difference = *(const float *)one - *(const float *)other;
    return (difference > 0) - (difference < 0);
}

int main(int count, char **words) {
    if (count != 6 && count != 7)
        return fprintf(stderr, "usage: nrpeload PORT COMMAND EXPECTED CALLERS SECONDS [quick-ack]\n"), 2;
    acknowledges_at_once = count == 7;
    signal(SIGPIPE, SIG_IGN);
    int callers = atoi(words[4]);
    double seconds = atof(words[5]);
    spell(words[2]);
    expected = words[3];
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(words[1]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    begin = now() + 0.3;
    end = begin + seconds;
    struct caller *all = calloc(callers, sizeof *all);
    for (int each = 0; each < callers; each++) {
        all[each].times = malloc(MOST_TIMES * sizeof(float));
        pthread_create(&all[each].thread, NULL, call, &all[each]);
    }
    long answered = 0, wrong = 0, lost = 0, kept = 0;
    for (int each = 0; each < callers; each++) {
        pthread_join(all[each].thread, NULL);
        answered += all[each].answered;
        wrong += all[each].wrong;
        lost += all[each].lost;
        kept += all[each].count;
    }
    float *times = malloc((kept + 1) * sizeof(float));
    long at = 0;
    for (int each = 0; each < callers; each++)
        for (long time = 0; time < all[each].count; time++) times[at++] = all[each].times[time];
    qsort(times, kept, sizeof(float), by_size);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    printf("{\"rate\": %.1f, \"answered\": %ld, \"wrong\": %ld, \"lost\": %ld, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
           "\"cpu_seconds\": %.3f}\n",
           answered / seconds, answered, wrong, lost, kept ? times[kept / 2] * 1e3 : 0,
           kept ? times[kept * 99 / 100] * 1e3 : 0, cpu);
    return 0;
}
