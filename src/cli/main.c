/* cli/main.c - vitrine's entry: finds the verb, parses its arguments, runs it. */
#include "cli/args.h"
#include "cli/help.h"
#include "vitrine/version.h"

#include <signal.h>
#include <string.h>

static void on_signal(int signo)
{
    vt_interrupted = signo;
}

/* A verb that is not waiting finishes its step, sees vt_interrupted and cleans up; SA_RESTART is
 * off so that waits end at once. The second signal of a kind kills as usual. */
static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
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
        return VT_EXIT_OK;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        vt_help_overview(stdout);
        return VT_EXIT_OK;
    }
    const struct vt_verb *verb = vt_verb_find(word);
    if (verb == NULL) {
        fprintf(stderr, "vitrine: no verb '%s' (see 'vitrine help')\n", word);
        return VT_EXIT_USAGE;
    }
    catch_signals();
    struct vt_args args;
    int result = vt_args_parse(verb, argc - 2, argv + 2, &args);
    if (result == 0) {
        if (vt_args_flag(&args, "help")) {
            vt_help_verb(stdout, verb);
        } else {
            result = verb->run(&args);
        }
    }
    vt_args_fini(&args);
    return result;
}
