/* cli/main.c - vitrine's entry: finds the verb, parses its arguments, runs it. */
#include "cli/args.h"
#include "cli/help.h"
#include "vitrine/version.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define ONE_REQUEST_S 2 /* signals that come closer together are one: timeout(1) sends two */

static void on_signal(int signo)
{
    static struct timespec first;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (vt_interrupted == 0) {
        first = now;
        vt_interrupted = signo;
    } else if (now.tv_sec - first.tv_sec > ONE_REQUEST_S) {
        signal(signo, SIG_DFL);
        raise(signo); /* delivered as this returns */
    }
}

/* A verb that is not waiting finishes its step, sees vt_interrupted and cleans up; SA_RESTART is
 * off so that waits end at once. A signal that comes later than that kills as usual. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction ours = {.sa_handler = on_signal};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        sigaddset(&ours.sa_mask, signals[i]); /* one at a time */
    }
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction before;
        sigaction(signals[i], NULL, &before);
        if (before.sa_handler != SIG_IGN) { /* nohup, or a job in the background */
            sigaction(signals[i], &ours, NULL);
        }
    }
    signal(SIGPIPE, SIG_IGN);
}

/* What a verb printed may still sit in stdout's buffer. */
static int flushed(int result)
{
    return result == VT_EXIT_OK ? vt_output_finish(stdout) : result;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        vt_help_overview(stderr);
        return VT_EXIT_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0) {
        puts("vitrine " VITRINE_VERSION);
        return flushed(VT_EXIT_OK);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        vt_help_overview(stdout);
        return flushed(VT_EXIT_OK);
    }
    const struct vt_verb *verb = vt_verb_find(word);
    if (verb == NULL) {
        fprintf(stderr, "vitrine: no verb '%s' (see 'vitrine help')\n", word);
        return VT_EXIT_USAGE;
    }
    int first = 2;
    if (verb->words != NULL && argc > first && argv[first][0] != '-') {
        const struct vt_verb *named = vt_verb_word(verb, argv[first]);
        if (named == NULL && verb->run == NULL) {
            fprintf(stderr, "vitrine %s: no '%s' (see 'vitrine %s --help')\n", verb->name,
                    argv[first], verb->name);
            return VT_EXIT_USAGE;
        }
        verb = named != NULL ? named : verb;
        first += named != NULL;
    }
    catch_signals();
    struct vt_args args;
    int result = vt_args_parse(verb, argc - first, (const char *const *)argv + first, &args);
    if (result == 0) {
        if (vt_args_flag(&args, "help")) {
            vt_help_verb(stdout, verb);
        } else if (verb->run == NULL) {
            result = vt_usage_error(&args, "needs %s", verb->operands);
        } else {
            result = verb->run(&args);
        }
    }
    vt_args_fini(&args);
    return flushed(result);
}
