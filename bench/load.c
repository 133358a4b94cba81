/* A closed loop of callers against one server on this host.
 *
 * Each caller connects (anew for every request, from 127.1.x.y), reads the greeting, sends a line, reads to the end,
 * checks what came, and begins again. One thread, one epoll. Prints one JSON object.
 * A server without a greeting is sent its line (an HTTP request, say) at once.
 *
 *     load --port P [--address 127.0.0.1] [--callers N] [--seconds S] [--warm S] [--grace S] [--patience S]
 *          [--greeting TEXT] [--send TEXT] [--expect TEXT] [--half-close]
 *
 * With --half-close a caller ends its input after the line, as `nc -N` does.
 * Without either, nothing is sent: such a server (xinetd) answers as soon as it is called.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_BYTES 4096
#define MAX_CALLERS 4000
/* A server that is gone refuses thousands of connections a second; there is nothing more to learn from it. */
#define ENOUGH_ERRORS 1000
#define SWEEP_SECONDS 0.1

enum state { AT_REST, AWAITS_CONNECTION, AWAITS_GREETING, AWAITS_ANSWER };

struct caller {
    enum state state;
    int descriptor;
    unsigned turn;
    size_t got;
    double started;
    char text[ANSWER_BYTES];
};

static struct sockaddr_in server = {.sin_family = AF_INET};
static const char *greeting = "", *line = "", *expected = "";
static size_t greeting_length, line_length, expected_length;

static struct caller *callers;
static int half_close, caller_count = 1, busy_callers, epoll_descriptor;
static double opens, closes; /* the window in which answers count */

static unsigned long in_window, right, wrong, lost;
static float *latencies;
static size_t latency_count, latency_room;
static char first_bad[512];

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void refuse(const char *why)
{
    fprintf(stderr, "load: %s\n", why);
    exit(2);
}

static void begin(int index);

static void hang_up(struct caller *caller)
{
    close(caller->descriptor);
    caller->state = AT_REST;
    busy_callers--;
}

static void fail(struct caller *caller, unsigned long *counter, const char *why)
{
    if (!first_bad[0])
        snprintf(first_bad, sizeof first_bad, "%s after %.3f s: %.*s", why, now() - caller->started,
                 (int)(caller->got < 300 ? caller->got : 300), caller->text);
    (*counter)++;
    hang_up(caller);
}

static void note_latency(double seconds)
{
    if (latency_count == latency_room) {
        latency_room = latency_room ? latency_room * 2 : 65536;
        latencies = realloc(latencies, latency_room * sizeof *latencies);
        if (!latencies)
            die("realloc");
    }
    latencies[latency_count++] = (float)(seconds * 1e3);
}

/* The server has closed: right is exactly one whole answer, and nothing cut off or said twice. */
static void judge(struct caller *caller)
{
    const char *answer = caller->text + greeting_length, *found;
    size_t length;
    double time;

    if (caller->state == AWAITS_GREETING || caller->got == greeting_length) {
        fail(caller, &lost, "closed without an answer");
        return;
    }
    length = caller->got - greeting_length;
    found = memmem(answer, length, expected, expected_length);
    if (!found || answer[length - 1] != '\n') {
        fail(caller, &wrong, "not what was asked for");
        return;
    }
    if (memmem(found + 1, (size_t)(answer + length - found - 1), expected, expected_length)) {
        fail(caller, &wrong, "answered twice");
        return;
    }
    time = now();
    right++;
    if (time >= opens && time < closes)
        in_window++;
    if (caller->started >= opens)
        note_latency(time - caller->started);
    hang_up(caller);
}

/* Ask; return whether there was room for it, which there is in a connection that is made. */
static int ask(struct caller *caller)
{
    if (send(caller->descriptor, line, line_length, MSG_NOSIGNAL) != (ssize_t)line_length)
        return 0;
    if (half_close)
        shutdown(caller->descriptor, SHUT_WR);
    caller->state = AWAITS_ANSWER;
    return 1;
}

/* Take what has come; returns when the connection has no more for now, or is over. */
static void receive(struct caller *caller)
{
    for (;;) {
        ssize_t count = recv(caller->descriptor, caller->text + caller->got, ANSWER_BYTES - caller->got, 0);
        if (count < 0) {
            if (errno != EAGAIN && errno != EINTR)
                fail(caller, &lost, strerror(errno));
            return;
        }
        if (count == 0) {
            judge(caller);
            return;
        }
        caller->got += (size_t)count;
        if (caller->got == ANSWER_BYTES) {
            fail(caller, &wrong, "far too long");
            return;
        }
        if (caller->state != AWAITS_GREETING)
            continue;
        if (memcmp(caller->text, greeting, caller->got < greeting_length ? caller->got : greeting_length) != 0 ||
            caller->got > greeting_length) {
            fail(caller, &wrong, "another greeting");
            return;
        }
        if (caller->got == greeting_length) {
            if (!ask(caller))
                fail(caller, &lost, "the line could not be sent");
            return; /* it cannot have been answered yet */
        }
    }
}

/* Ask in a connection that was not made at once. */
static void connected(struct caller *caller, int index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};

    if (!ask(caller)) {
        fail(caller, &lost, strerror(errno));
        return;
    }
    if (epoll_ctl(epoll_descriptor, EPOLL_CTL_MOD, caller->descriptor, &event) < 0)
        die("epoll_ctl");
}

static void begin(int index)
{
    struct caller *caller = &callers[index];
    struct sockaddr_in source = {.sin_family = AF_INET};
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    int on = 1;

    /* Eight addresses a caller, in turn: a port that has just been used is not needed again at once. */
    source.sin_addr.s_addr =
        htonl(0x7f010000u | (uint32_t)(index / 250 * 8 + (int)(caller->turn++ % 8)) << 8 | (uint32_t)(1 + index % 250));
    caller->got = 0;
    caller->started = now();
    caller->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (caller->descriptor < 0)
        die("socket");
    caller->state = greeting_length ? AWAITS_GREETING : AWAITS_ANSWER;
    busy_callers++;
    setsockopt(caller->descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(caller->descriptor, (struct sockaddr *)&source, sizeof source) < 0)
        die("bind");
    if (connect(caller->descriptor, (struct sockaddr *)&server, sizeof server) < 0 && errno != EINPROGRESS) {
        fail(caller, &lost, strerror(errno));
        return;
    }
    if (!greeting_length && line_length && !ask(caller)) {
        caller->state = AWAITS_CONNECTION;
        event.events = EPOLLOUT;
    }
    /* A connection that fails is reported as an error whatever one waits for. */
    if (epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, caller->descriptor, &event) < 0)
        die("epoll_ctl");
}

static int by_size(const void *left, const void *right_one)
{
    float a = *(const float *)left, b = *(const float *)right_one;
    return (a > b) - (a < b);
}

static void print_percentile(const char *name, double share)
{
    size_t rank = (size_t)(share * (double)latency_count);
    if (latency_count)
        printf("\"%s\": %.3f, ", name, latencies[rank < latency_count ? rank : latency_count - 1]);
    else
        printf("\"%s\": null, ", name);
}

static void print_string(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\')
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

static double seconds_of(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || !(value >= 0 && value <= 600))
        refuse("a time is 0 to 600 seconds");
    return value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"address", 1, 0, 'a'}, {"port", 1, 0, 'p'},     {"callers", 1, 0, 'c'},  {"seconds", 1, 0, 's'},
        {"warm", 1, 0, 'w'},    {"grace", 1, 0, 'g'},    {"patience", 1, 0, 'P'}, {"greeting", 1, 0, 'G'},
        {"send", 1, 0, 'S'},    {"expect", 1, 0, 'e'},   {"half-close", 0, 0, 'h'},
        {0, 0, 0, 0}};
    const char *address = "127.0.0.1";
    double seconds = 2, warm = 0.3, grace = 10, patience = 15, start, next_sweep;
    long port = 0;
    int option, index;
    struct epoll_event events[256];
    struct rusage usage;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'a': address = optarg; break;
        case 'p': port = atol(optarg); break;
        case 'c': caller_count = atoi(optarg); break;
        case 's': seconds = seconds_of(optarg); break;
        case 'w': warm = seconds_of(optarg); break;
        case 'g': grace = seconds_of(optarg); break;
        case 'P': patience = seconds_of(optarg); break;
        case 'G': greeting = optarg; break;
        case 'S': line = optarg; break;
        case 'e': expected = optarg; break;
        case 'h': half_close = 1; break;
        default: return 2;
        }
    }
    greeting_length = strlen(greeting);
    line_length = strlen(line);
    expected_length = strlen(expected);
    if (inet_pton(AF_INET, address, &server.sin_addr) != 1 || ntohl(server.sin_addr.s_addr) >> 24 != 127)
        refuse("only 127.0.0.0/8 may be loaded");
    if (port < 1 || port > 65535)
        refuse("--port is 1 to 65535");
    if (caller_count < 1 || caller_count > MAX_CALLERS)
        refuse("--callers is 1 to 4000");
    if (!expected_length)
        refuse("--expect is needed: an answer that is not checked does not count");
    if (greeting_length >= ANSWER_BYTES)
        refuse("--greeting is too long");
    server.sin_port = htons((uint16_t)port);
    callers = calloc((size_t)caller_count, sizeof *callers);
    epoll_descriptor = epoll_create1(EPOLL_CLOEXEC);
    if (!callers || epoll_descriptor < 0)
        die("starting");

    start = now();
    opens = start + warm;
    closes = opens + seconds;
    next_sweep = start + SWEEP_SECONDS;
    for (index = 0; index < caller_count; index++)
        begin(index);
    for (;;) {
        int count = epoll_wait(epoll_descriptor, events, 256, (int)(SWEEP_SECONDS * 1e3)), each;
        double time;
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (each = 0; each < count; each++) {
            index = (int)events[each].data.u32;
            if (callers[index].state == AWAITS_CONNECTION)
                connected(&callers[index], index);
            else
                receive(&callers[index]);
        }
        time = now();
        if (time >= next_sweep) {
            next_sweep = time + SWEEP_SECONDS;
            for (index = 0; index < caller_count; index++)
                if (callers[index].state != AT_REST && time - callers[index].started > patience)
                    fail(&callers[index], &lost, "no answer in time");
        }
        if (time < closes && wrong + lost < ENOUGH_ERRORS) {
            if (busy_callers < caller_count)
                for (index = 0; index < caller_count; index++)
                    if (callers[index].state == AT_REST)
                        begin(index);
        } else if (!busy_callers || time > closes + grace || wrong + lost >= ENOUGH_ERRORS) {
            break;
        }
    }
    for (index = 0; index < caller_count; index++)
        if (callers[index].state != AT_REST)
            fail(&callers[index], &lost, "unanswered at the end");

    if (latency_count)
        qsort(latencies, latency_count, sizeof *latencies, by_size);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"callers\": %d, \"requests\": %lu, \"seconds\": %.3f, \"answered\": %lu, \"errors\": %lu, "
           "\"wrong\": %lu, \"lost\": %lu, ",
           caller_count, in_window, seconds, right, wrong + lost, wrong, lost);
    print_percentile("p50_ms", 0.5);
    print_percentile("p99_ms", 0.99);
    print_percentile("max_ms", 1);
    printf("\"cpu_seconds\": %.3f, \"first_bad\": ",
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    if (first_bad[0])
        print_string(first_bad);
    else
        printf("null");
    printf("}\n");
    return 0;
}
