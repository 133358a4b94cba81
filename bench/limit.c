/* How often this host can run a program at all: posix_spawn, a pipe, read to the end, wait, and nothing else.
 *
 *     limit [--in-flight N] [--seconds S] [--warm S] [--descriptors N] --expect TEXT PROGRAM
 *
 * With --descriptors that many more are held open meanwhile, as by a daemon with so many connections: each child begins
 * with a copy of them all. Prints one JSON object.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT_BYTES 4096
#define MAX_IN_FLIGHT 4000

struct run {
    pid_t pid;
    int pipe;
    size_t got;
    char output[OUTPUT_BYTES];
};

static struct run *runs;
static int epoll_descriptor, null_descriptor, under_way;
static char *program;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void die(const char *what, int error)
{
    fprintf(stderr, "limit: %s: %s\n", what, strerror(error));
    exit(2);
}

static void start(int index)
{
    static char *environment[] = {"PATH=/usr/bin:/bin", "LANG=C", NULL};
    char *arguments[] = {program, NULL};
    struct run *run = &runs[index];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    posix_spawn_file_actions_t actions;
    int ends[2], error;

    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe", errno);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, null_descriptor, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    error = posix_spawn(&run->pid, program, &actions, NULL, arguments, environment);
    if (error)
        die(program, error);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    run->pipe = ends[0];
    run->got = 0;
    under_way++;
    if (epoll_ctl(epoll_descriptor, EPOLL_CTL_ADD, run->pipe, &event) < 0)
        die("epoll_ctl", errno);
}

/* Returns whether the run is over. */
static int take(struct run *run)
{
    ssize_t count = read(run->pipe, run->output + run->got, OUTPUT_BYTES - run->got);
    if (count > 0) {
        run->got += (size_t)count;
        return 0;
    }
    if (count < 0 && errno == EINTR)
        return 0;
    /* A child that is between vfork and exec has a copy; while it does, closing alone would not end the watch. */
    epoll_ctl(epoll_descriptor, EPOLL_CTL_DEL, run->pipe, NULL);
    close(run->pipe);
    under_way--;
    return 1;
}

static double cpu_seconds(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"in-flight", 1, 0, 'n'},   {"seconds", 1, 0, 's'}, {"warm", 1, 0, 'w'},
                                            {"descriptors", 1, 0, 'd'}, {"expect", 1, 0, 'e'},  {0, 0, 0, 0}};
    const char *expected = "";
    double seconds = 1, warm = 0.2, opens, closes;
    int in_flight = 1, descriptors = 0, option, index;
    unsigned long counted = 0, all = 0, errors = 0;
    struct epoll_event events[64];
    struct rlimit open_files;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'n': in_flight = atoi(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'w': warm = atof(optarg); break;
        case 'd': descriptors = atoi(optarg); break;
        case 'e': expected = optarg; break;
        default: return 2;
        }
    }
    if (optind + 1 != argc || in_flight < 1 || in_flight > MAX_IN_FLIGHT || descriptors < 0 ||
        !(seconds > 0 && seconds <= 600) || !(warm >= 0 && warm <= 60)) {
        fprintf(stderr, "limit: [--in-flight N] [--seconds S] [--warm S] [--descriptors N] --expect TEXT PROGRAM\n");
        return 2;
    }
    program = argv[optind];
    alarm((unsigned)(seconds + warm) + 30);
    getrlimit(RLIMIT_NOFILE, &open_files);
    open_files.rlim_cur = open_files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &open_files);
    runs = calloc((size_t)in_flight, sizeof *runs);
    epoll_descriptor = epoll_create1(EPOLL_CLOEXEC);
    null_descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!runs || epoll_descriptor < 0 || null_descriptor < 0)
        die("starting", errno);
    for (index = 0; index < descriptors; index++)
        if (fcntl(null_descriptor, F_DUPFD_CLOEXEC, 3) < 0)
            die("--descriptors", errno);

    opens = now() + warm;
    closes = opens + seconds;
    for (index = 0; index < in_flight; index++)
        start(index);
    while (under_way) {
        int count = epoll_wait(epoll_descriptor, events, 64, -1), each, status;
        if (count < 0 && errno != EINTR)
            die("epoll_wait", errno);
        for (each = 0; each < count; each++) {
            int which = (int)events[each].data.u32;
            struct run *run = &runs[which];
            double time;
            if (!take(run))
                continue;
            if (waitpid(run->pid, &status, 0) != run->pid)
                die("waitpid", errno);
            time = now();
            all++;
            if (status || !memmem(run->output, run->got, expected, strlen(expected)))
                errors++;
            else if (time >= opens && time < closes)
                counted++;
            if (time < closes)
                start(which);
        }
    }
    printf("{\"in_flight\": %d, \"descriptors\": %d, \"runs\": %lu, \"seconds\": %.3f, \"rate\": %.2f, "
           "\"errors\": %lu, \"cpu_ms_per_run\": %.4f}\n",
           in_flight, descriptors, counted, seconds, (double)counted / seconds, errors,
           all ? (cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN)) * 1e3 / (double)all : 0.0);
    return 0;
}
