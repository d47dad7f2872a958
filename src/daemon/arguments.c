/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "config.h"
#include "log.h"
#include "macros.h"

static const char summary[] =
                "Owns MeshCore companion radios and publishes them on D-Bus as org.meshcored1.\n"
                "\n"
                "As a system service it is started by systemd: \"systemctl enable --now meshcored\".\n"
                "Radios are named in " SYSCONFDIR "/meshcored/meshcored.conf; see meshcored.conf(5).";

static const char description[] =
                "To try it without root, on your own bus, with a radio on Wi-Fi:\n"
                "\n"
                "  mkdir -p ~/.config/meshcored\n"
                "  printf '[Radio hut]\\nTransport=tcp://192.168.1.20\\n' > "
                "~/.config/meshcored/meshcored.conf\n"
                "  meshcored --session\n"
                "\n"
                "and in another terminal: meshcorectl --session status\n"
                "\n"
                "SIGHUP reads the configuration again; SIGTERM and SIGINT end the daemon.\n"
                "\n"
                "Exit status: 0 after an orderly end, 1 after a failure, 2 when the command line\n"
                "is wrong or the file of --config does not exist, 3 when the stored messages were\n"
                "written by a newer version (nothing is touched then).";

void arguments_clear(Arguments *arguments) {
        g_clear_pointer(&arguments->config, g_free);
        g_clear_pointer(&arguments->state_dir, g_free);
        g_clear_pointer(&arguments->check_store, g_free);
        g_clear_pointer(&arguments->restore, g_free);
}

/* systemd gives the directory of StateDirectory=, the first of a list. */
static char *default_state_dir(bool session) {
        const char *given = getenv("STATE_DIRECTORY");

        if (session)
                return g_build_filename(g_get_user_state_dir(), "meshcored", NULL);
        if (given && *given)
                return g_strndup(given, strcspn(given, ":"));
        return g_strdup(LOCALSTATEDIR "/lib/meshcored");
}

static char *default_config(bool session) {
        if (session)
                return g_build_filename(g_get_user_config_dir(), "meshcored", "meshcored.conf", NULL);
        return g_strdup(SYSCONFDIR "/meshcored/meshcored.conf");
}

/* Programs that are told a relative path by a person know where they stand,
 * but a reload must find the same file. */
static char *absolute(const char *path) {
        return g_canonicalize_filename(path, NULL);
}

static int usage_error(const char *message) {
        (void) fprintf(stderr, "%s\nTry \"meshcored --help\".\n", message);
        return -EINVAL;
}

int arguments_parse(int argc, char *argv[], Arguments *ret) {
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);
        g_autofree char *config = NULL, *state_dir = NULL, *storage = NULL, *level = NULL;
        g_autofree char *check_store = NULL, *restore = NULL;
        g_autoptr(GError) error = NULL;
        gboolean session = FALSE, version = FALSE;
        const GOptionEntry entries[] = {
                        {"session", 0, 0, G_OPTION_ARG_NONE, &session,
                         "Use your own bus instead of the system's, and your own directories", NULL},
                        {"config", 'c', 0, G_OPTION_ARG_FILENAME, &config,
                         "Read FILE and FILE.d/*.conf instead of the usual ones", "FILE"},
                        {"state-dir", 0, 0, G_OPTION_ARG_FILENAME, &state_dir,
                         "Keep messages and contacts in DIR", "DIR"},
                        {"storage", 0, 0, G_OPTION_ARG_STRING, &storage,
                         "persistent: make DIR when it is not there; existing: only use what is there; "
                         "volatile: keep nothing",
                         "KIND"},
                        {"log-level", 'l', 0, G_OPTION_ARG_STRING, &level,
                         "err, warning, notice, info or debug; goes before LogLevel= of the file", "LEVEL"},
                        {"check-store", 0, 0, G_OPTION_ARG_FILENAME, &check_store,
                         "Read FILE, which a backup wrote, through and end", "FILE"},
                        {"restore", 0, 0, G_OPTION_ARG_FILENAME, &restore,
                         "Put FILE, which a backup wrote, in the place of the stored messages and end",
                         "FILE"},
                        {"version", 0, 0, G_OPTION_ARG_NONE, &version, "Show the version and exit", NULL},
                        {NULL},
        };
        Arguments arguments = {.log_level = -EINVAL};

        g_option_context_add_main_entries(context, entries, NULL);
        g_option_context_set_summary(context, summary);
        g_option_context_set_description(context, description);
        /* GLib answers --help itself and exits with 0. */
        if (!g_option_context_parse(context, &argc, &argv, &error))
                return usage_error(error->message);
        if (argc > 1)
                return usage_error("Unexpected argument.");

        if (version) {
                (void) printf("meshcored %s\n", MESHCORED_VERSION);
                return 0;
        }
        if (level) {
                arguments.log_level = log_level_from_string(level);
                if (arguments.log_level < 0)
                        return usage_error("--log-level takes err, warning, notice, info or debug.");
        }

        if (check_store && restore)
                return usage_error("--check-store and --restore exclude one another.");
        if (state_dir && !*state_dir)
                return usage_error("--state-dir takes a directory.");
        if (storage) {
                arguments.storage = storage_from_string(storage);
                if (arguments.storage < 0)
                        return usage_error("--storage takes persistent, existing or volatile.");
                if (check_store || restore)
                        return usage_error("--storage is of no use with --check-store and --restore.");
                if (state_dir && arguments.storage == STORAGE_VOLATILE)
                        return usage_error("--state-dir and --storage volatile exclude one another.");
        }

        arguments.session = session;
        arguments.check_store = g_steal_pointer(&check_store);
        arguments.restore = g_steal_pointer(&restore);
        arguments.config_given = config != NULL;
        arguments.config = config ? absolute(config) : default_config(session);
        arguments.state_dir = state_dir ? absolute(state_dir) : default_state_dir(session);
        *ret = arguments;
        return 1;
}
