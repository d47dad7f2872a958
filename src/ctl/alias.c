/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "alias.h"

#define SECTION "Alias"

char *alias_path(void) {
        return g_build_filename(g_get_user_config_dir(), "meshcored", "meshcorectl.conf", NULL);
}

ExitCode alias_load(GKeyFile **ret) {
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autofree char *path = alias_path();
        g_autoptr(GError) error = NULL;

        if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &error)) {
                *ret = NULL;
                if (g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT) ||
                    g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOTDIR))
                        return EXIT_CODE_OK;
                return ctl_fail(EXIT_CODE_USAGE, "%s: %s", path, error->message);
        }

        *ret = g_steal_pointer(&file);
        return EXIT_CODE_OK;
}

char **alias_names(GKeyFile *file) {
        char **names = file ? g_key_file_get_keys(file, SECTION, NULL, NULL) : NULL;

        return names ?: g_new0(char *, 1);
}

ExitCode alias_find(const char *name, char ***ret) {
        g_autoptr(GKeyFile) file = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *line = NULL;
        ExitCode code;

        *ret = NULL;
        code = alias_load(&file);
        if (code != EXIT_CODE_OK || !file)
                return code;

        /* The bytes as they stand: escapes of key files would be read before those of words. */
        line = g_key_file_get_value(file, SECTION, name, NULL);
        if (!line)
                return EXIT_CODE_OK;
        if (!g_shell_parse_argv(line, NULL, ret, &error))
                return ctl_fail(EXIT_CODE_USAGE, "the alias %s cannot be read: %s", name, error->message);
        return EXIT_CODE_OK;
}
