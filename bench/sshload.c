/* Asks SSH servers on this host, with libssh; a thread for each caller.
 *
 *   sshload load PORT KEY USER CALLERS SECONDS   connect, log in by key, run `uptime`, begin again; the first 0.3 s are
 *                                                not counted
 *   sshload hold PORT KEY USER COUNT             have so many logged in, say so, and hold them to the end of the input
 *
 * Prints a line of JSON. The algorithms are the same for every server: curve25519-sha256, ssh-ed25519, aes256-gcm.
 */
#define _GNU_SOURCE
#include <libssh/libssh.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define EXPECTED "load average"
#define WARM_SECONDS 0.3
#define HOLDING_THREADS 8

typedef struct { double *seconds; long count, room; } Latencies;

static int port;
static const char *user;
static ssh_key key;
static double begin, end;
static atomic_long errors, opened;
static long wanted;
static ssh_session *held;

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

static void note(Latencies *latencies, double seconds)
{
	if (latencies->count == latencies->room) {
		latencies->room = latencies->room ? latencies->room * 2 : 1024;
		latencies->seconds = realloc(latencies->seconds, latencies->room * sizeof seconds);
	}
	latencies->seconds[latencies->count++] = seconds;
}

static void set(ssh_session session, enum ssh_options_e option, const char *value)
{
	ssh_options_set(session, option, value);
}

static ssh_session log_in(void)
{
	ssh_session session = ssh_new();
	int none = 0, one = 1;
	long patience = 15;
	ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &none);
	set(session, SSH_OPTIONS_HOST, "127.0.0.1");
	ssh_options_set(session, SSH_OPTIONS_PORT, &port);
	set(session, SSH_OPTIONS_USER, user);
	ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &patience);
	ssh_options_set(session, SSH_OPTIONS_NODELAY, &one);
	set(session, SSH_OPTIONS_KEY_EXCHANGE, "curve25519-sha256");
	set(session, SSH_OPTIONS_HOSTKEYS, "ssh-ed25519");
	set(session, SSH_OPTIONS_CIPHERS_C_S, "aes256-gcm@openssh.com");
	set(session, SSH_OPTIONS_CIPHERS_S_C, "aes256-gcm@openssh.com");
	if (ssh_connect(session) == SSH_OK && ssh_userauth_publickey(session, NULL, key) == SSH_AUTH_SUCCESS)
		return session;
	if (!errors++) fprintf(stderr, "%s\n", ssh_get_error(session));
	ssh_disconnect(session);
	ssh_free(session);
	return NULL;
}

static int is_answered(ssh_session session)
{
	char answer[4096];
	int length = 0, taken;
	ssh_channel channel = ssh_channel_new(session);
	if (ssh_channel_open_session(channel) == SSH_OK && ssh_channel_request_exec(channel, "uptime") == SSH_OK)
		while ((taken = ssh_channel_read_timeout(channel, answer + length, sizeof answer - length, 0, 15000)) > 0)
			length += taken;
	ssh_channel_free(channel);
	return memmem(answer, length, EXPECTED, strlen(EXPECTED)) != NULL;
}

static void *call(void *argument)
{
	Latencies *latencies = argument;
	double called;
	while ((called = now()) < end) {
		ssh_session session = log_in();
		if (session == NULL) {
			usleep(2000);
			continue;
		}
		int is_right = is_answered(session);
		double answered = now();
		if (!is_right) errors++;
		else if (called >= begin && answered <= end) note(latencies, answered - called);
		ssh_disconnect(session);
		ssh_free(session);
	}
	return NULL;
}

static void *open_some(void *argument)
{
	(void)argument;
	for (long number; (number = opened++) < wanted;) held[number] = log_in();
	return NULL;
}

static int compare(const void *left, const void *right)
{
	double difference = *(const double *)left - *(const double *)right;
	return (difference > 0) - (difference < 0);
}

static void load(int callers, double seconds)
{
	pthread_t *threads = calloc(callers, sizeof *threads);
	Latencies *each = calloc(callers, sizeof *each), all = {0};
	struct rusage used;
	begin = now() + WARM_SECONDS;
	end = begin + seconds;
	for (int i = 0; i < callers; i++) pthread_create(&threads[i], NULL, call, &each[i]);
	for (int i = 0; i < callers; i++) {
		pthread_join(threads[i], NULL);
		for (long j = 0; j < each[i].count; j++) note(&all, each[i].seconds[j]);
	}
	getrusage(RUSAGE_SELF, &used);
	qsort(all.seconds, all.count, sizeof *all.seconds, compare);
#define PERCENTILE(q) (all.count ? all.seconds[(long)((q) * (all.count - 1))] * 1e3 : -1)
	printf("{\"answered\": %ld, \"errors\": %ld, \"rate\": %.2f, \"p50_ms\": %.2f, \"p99_ms\": %.2f, \"cpu_seconds\": %.3f}\n",
	       all.count, (long)errors, all.count / seconds, PERCENTILE(.5), PERCENTILE(.99),
	       used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6);
}

static void hold(void)
{
	pthread_t threads[HOLDING_THREADS];
	long found = 0;
	held = calloc(wanted, sizeof *held);
	for (int i = 0; i < HOLDING_THREADS; i++) pthread_create(&threads[i], NULL, open_some, NULL);
	for (int i = 0; i < HOLDING_THREADS; i++) pthread_join(threads[i], NULL);
	for (long i = 0; i < wanted; i++) found += held[i] != NULL;
	printf("{\"held\": %ld}\n", found);
	fflush(stdout);
	while (getchar() != EOF) ;
}

int main(int count, char **words)
{
	if (count < 6) return 2;
	port = atoi(words[2]);
	user = words[4];
	signal(SIGPIPE, SIG_IGN);
	ssh_init();
	if (ssh_pki_import_privkey_file(words[3], NULL, NULL, NULL, &key) != SSH_OK) return 2;
	if (!strcmp(words[1], "hold")) {
		wanted = atol(words[5]);
		hold();
	} else if (count > 6) {
		load(atoi(words[5]), atof(words[6]));
	}
	return 0;
}
