/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <glib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "chat-screen.h"
#include "client.h"
#include "macros.h"
#include "table.h"
#include "terminal.h"

#define LINE_MAX_BYTES (64 * 1024) /* far more than any radio takes */
#define MARK_COLUMNS   2
#define ROWS_MAX       1000 /* lines that are remembered; no terminal shows more */

typedef struct Row {
        uint64_t id;   /* 0: no message */
        unsigned rows; /* of the terminal */
        unsigned mark; /* column of the mark */
} Row;

struct Screen {
        bool terminal;
        screen_line_t on_line;
        void *userdata;
        sd_event_source *input, *winch, *cont;
        GString *buffer; /* of a stream: what was read and not taken */
        bool reading, ended;
        GArray *shown; /* Row, the last ones, without a gap up to the line to edit */
        unsigned suspended;
        ExitCode code;
};

/* Readline's functions know no userdata, and there is one terminal. */
static Screen *the_screen;
static struct termios the_mode;

/* -- lines above the one to edit ---------------------------------------------------- */

void screen_suspend(Screen *s) {
        if (s->terminal && s->suspended++ == 0 && s->input)
                (void) rl_clear_visible_line();
        (void) fflush(stdout);
}

static void show_input(Screen *s) {
        if (s->terminal && --s->suspended == 0 && s->input)
                (void) rl_forced_update_display();
        (void) fflush(stdout);
}

void screen_resume(Screen *s) {
        g_array_set_size(s->shown, 0); /* nobody knows how much was printed */
        show_input(s);
}

/* Columns that a character takes at least and at most: terminals differ about some. */
static void count_columns(gunichar c, unsigned *least, unsigned *most) {
        bool pictured = c >= 0x1F000 || (c >= 0x2600 && c <= 0x27BF);

        if (g_unichar_iszerowidth(c))
                *most += 1;
        else {
                *least += g_unichar_iswide(c) && !pictured ? 2 : 1;
                *most += g_unichar_iswide(c) || g_unichar_iswide_cjk(c) || pictured ? 2 : 1;
        }
}

/* How many rows of the terminal a text with columns more surely takes; 0: that depends on the terminal. */
static unsigned count_rows(const char *text, unsigned more) {
        unsigned least = more, most = more;
        int lines, columns;

        rl_get_screen_size(&lines, &columns);
        for (const char *p = text; *p; p = g_utf8_next_char(p))
                count_columns(g_utf8_get_char(p), &least, &most);
        if (columns < 2 || (least != most && most > (unsigned) columns))
                return 0;
        return MAX(1, (most + (unsigned) columns - 1) / (unsigned) columns);
}

/* Without its mark the line is as long as text and more columns. */
static void remember(Screen *s, const char *text, unsigned more, uint64_t id, unsigned mark) {
        Row row = {.id = id, .rows = count_rows(text, more), .mark = mark};

        if (row.rows == 0) {
                g_array_set_size(s->shown, 0);
                return;
        }
        if (s->shown->len >= ROWS_MAX)
                g_array_remove_index(s->shown, 0);
        g_array_append_val(s->shown, row);
}

void screen_print(Screen *s, const char *line) {
        g_autofree char *escaped = terminal_escape(line);

        screen_suspend(s);
        puts(escaped);
        if (s->terminal)
                remember(s, escaped, 0, 0, 0);
        show_input(s);
}

void screen_print_marked(Screen *s, uint64_t id, const char *before, const char *mark, const char *after) {
        g_autofree char *first = terminal_escape(before), *second = terminal_escape(after);
        g_autofree char *text = g_strconcat(first, second, NULL);

        screen_suspend(s);
        printf("%s%s%s\n", first, mark, second);
        if (s->terminal)
                remember(s, text, MARK_COLUMNS, id, text_width(first));
        show_input(s);
}

bool screen_mark(Screen *s, uint64_t id, const char *mark) {
        int lines, columns;
        unsigned up = 0;
        const Row *row = NULL;

        if (!s->terminal || !s->input)
                return false;
        for (guint i = s->shown->len; i-- > 0 && !row;) {
                const Row *r = &g_array_index(s->shown, Row, i);

                up += r->rows;
                if (r->id == id)
                        row = r;
        }
        rl_get_screen_size(&lines, &columns);
        /* With room for what is being typed. */
        if (!row || lines < 3 ||
            up + count_rows(rl_display_prompt ?: "", 0) + count_rows(rl_line_buffer, 0) >= (unsigned) lines)
                return false;

        screen_suspend(s);
        printf("\033[%uA\r\033[%uC%s\033[%uB\r", up, row->mark, mark, up);
        show_input(s);
        return true;
}

/* -- the line to edit --------------------------------------------------------------------- */

/* Return: the line is taken from where it is typed, and comes back as a message. */
static int on_return(int count, int key) {
        g_autofree char *line = g_strdup(rl_line_buffer);
        Screen *s = the_screen;

        if (!*line)
                return 0;
        if (!g_utf8_validate(line, -1, NULL)) {
                (void) rl_ding();
                return 0;
        }

        (void) rl_maybe_unsave_line();
        screen_suspend(s);
        rl_replace_line("", 1);
        rl_point = rl_mark = 0;
        if (s->on_line(line, s->userdata)) {
                add_history(line);
                using_history();
        } else {
                rl_replace_line(line, 0);
                rl_point = rl_end;
        }
        show_input(s);
        return 0;
}

/* Only the end of input comes this way. */
static void on_end(char *line) {
        Screen *s = the_screen;

        if (line) {
                free(line);
                return;
        }
        rl_callback_handler_remove();
        s->input = sd_event_source_disable_unref(s->input);
        (void) s->on_line(NULL, s->userdata);
}

static int on_keys(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        Screen *s = userdata;

        if (events & EPOLLIN)
                rl_callback_read_char();
        else if (events & (EPOLLHUP | EPOLLERR)) {
                s->input = sd_event_source_disable_unref(s->input);
                (void) s->on_line(NULL, s->userdata);
        }
        return 0;
}

static int on_winch(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Screen *s = userdata;

        g_array_set_size(s->shown, 0); /* lines may have been broken anew */
        rl_resize_terminal();
        return 0;
}

/* Back from Ctrl-Z: the shell had the terminal. */
static int on_cont(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        Screen *s = userdata;

        g_array_set_size(s->shown, 0);
        rl_prep_terminal(1);
        (void) rl_forced_update_display();
        return 0;
}

static void restore_terminal(void) {
        (void) tcsetattr(STDIN_FILENO, TCSADRAIN, &the_mode);
}

static int no_completion(int count, int key) {
        return 0;
}

static int attach_terminal(Screen *s, sd_event *event) {
        static const int signals[] = {SIGWINCH, SIGCONT};
        sigset_t set;
        int r;

        (void) sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++)
                (void) sigaddset(&set, signals[i]);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || tcgetattr(STDIN_FILENO, &the_mode) < 0)
                return -errno;

        r = sd_event_add_signal(event, &s->winch, SIGWINCH, on_winch, s);
        if (r >= 0)
                r = sd_event_add_signal(event, &s->cont, SIGCONT, on_cont, s);
        if (r >= 0)
                r = sd_event_add_io(event, &s->input, STDIN_FILENO, EPOLLIN, on_keys, s);
        if (r < 0)
                return r;

        rl_readline_name = CTL_NAME;
        rl_catch_signals = 0;
        rl_catch_sigwinch = 0;
        rl_change_environment = 0;
        (void) rl_initialize();
        for (const char *const *map = (const char *const[]){"emacs", "vi-insert", "vi-command", NULL}; *map;
             map++) {
                Keymap keymap = rl_get_keymap_by_name(*map);

                (void) rl_bind_key_in_map('\r', on_return, keymap);
                (void) rl_bind_key_in_map('\n', on_return, keymap);
                (void) rl_bind_key_in_map('\t', no_completion, keymap);
        }
        the_screen = s;
        return 0;
}

bool screen_discard_input(Screen *s) {
        if (!s->terminal || !s->input || rl_end == 0)
                return false;

        (void) rl_maybe_unsave_line();
        screen_suspend(s);
        rl_replace_line("", 1);
        rl_point = rl_mark = 0;
        using_history();
        show_input(s);
        return true;
}

void screen_set_prompt(Screen *s, const char *prompt) {
        g_autofree char *shown = terminal_escape(prompt);

        if (!s->terminal || !s->input)
                return;

        if (the_screen && !s->reading) {
                s->reading = true;
                rl_callback_handler_install(shown, on_end);
                (void) fflush(stdout);
                return;
        }
        screen_suspend(s);
        (void) rl_set_prompt(shown);
        show_input(s);
}

/* -- a stream ---------------------------------------------------------------------------------- */

/* Gives the lines that are there, as long as they are taken. */
static void take_lines(Screen *s) {
        char *end;

        while (s->reading && (end = memchr(s->buffer->str, '\n', s->buffer->len))) {
                size_t size = (size_t) (end - s->buffer->str), n = size;
                g_autofree char *line = NULL;

                if (n > 0 && s->buffer->str[n - 1] == '\r')
                        n--;
                line = g_strndup(s->buffer->str, n);
                if (!g_utf8_validate(s->buffer->str, (gssize) n, NULL)) /* refuses NUL too */
                        s->code = ctl_fail(EXIT_CODE_USAGE, "a line that is not valid UTF-8 is left out");
                else if (n > 0 && !s->on_line(line, s->userdata)) {
                        s->reading = false;
                        return;
                }
                (void) g_string_erase(s->buffer, 0, (gssize) size + 1);
        }

        if (s->reading && s->ended && s->buffer->len == 0) {
                s->reading = false;
                (void) s->on_line(NULL, s->userdata);
        }
}

static void read_stream(Screen *s) {
        char piece[4096];
        ssize_t n = read(STDIN_FILENO, piece, sizeof(piece));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n > 0 && s->buffer->len + (size_t) n <= LINE_MAX_BYTES)
                (void) g_string_append_len(s->buffer, piece, n);
        else {
                if (n > 0)
                        s->code = ctl_fail(EXIT_CODE_USAGE,
                                           "a line on standard input is far too long, ending");
                else if (n < 0)
                        s->code = ctl_fail(EXIT_CODE_FAILED, "cannot read standard input: %s",
                                           g_strerror(errno));
                s->ended = true;
                s->input = sd_event_source_disable_unref(s->input);
                /* The end of input ends the last line, too, but half a text is none. */
                if (n != 0) {
                        const char *last = strrchr(s->buffer->str, '\n');

                        (void) g_string_truncate(s->buffer, last ? (gsize) (last + 1 - s->buffer->str) : 0);
                } else if (s->buffer->len > 0 && s->buffer->str[s->buffer->len - 1] != '\n')
                        (void) g_string_append_c(s->buffer, '\n');
        }
        take_lines(s);
        screen_set_reading(s, s->reading);
}

static int on_stream(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        read_stream(userdata);
        return 0;
}

/* A regular file is always ready, and epoll doesn't take it. */
static int on_file(sd_event_source *source, void *userdata) {
        read_stream(userdata);
        return 0;
}

void screen_set_reading(Screen *s, bool reading) {
        if (s->terminal)
                return;

        if (reading && !s->reading) {
                s->reading = true;
                take_lines(s);
        }
        s->reading = s->reading && reading;
        if (s->input)
                (void) sd_event_source_set_enabled(s->input, s->reading ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int attach_stream(Screen *s, sd_event *event) {
        int r;

        s->reading = true;
        r = sd_event_add_io(event, &s->input, STDIN_FILENO, EPOLLIN, on_stream, s);
        if (r != -EPERM)
                return r;

        r = sd_event_add_defer(event, &s->input, on_file, s);
        return r < 0 ? r : sd_event_source_set_enabled(s->input, SD_EVENT_ON);
}

/* -- life ---------------------------------------------------------------------------------------- */

Screen *screen_new(bool stream, screen_line_t on_line, void *userdata) {
        const char *term = g_getenv("TERM");
        Screen *s = g_new0(Screen, 1);

        s->terminal = !stream && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && *term &&
                      strcmp(term, "dumb") != 0;
        s->on_line = on_line;
        s->userdata = userdata;
        s->buffer = g_string_new(NULL);
        s->shown = g_array_new(false, false, sizeof(Row));
        return s;
}

int screen_attach(Screen *s, sd_event *event) {
        int r = s->terminal ? attach_terminal(s, event) : attach_stream(s, event);

        if (r >= 0 && s->terminal)
                client_set_end_hook(restore_terminal);
        return r;
}

Screen *screen_free(Screen *s) {
        if (!s)
                return NULL;

        if (the_screen == s) {
                if (s->input && s->reading) {
                        (void) rl_clear_visible_line();
                        rl_callback_handler_remove();
                        (void) fflush(stdout);
                }
                restore_terminal();
                the_screen = NULL;
        }
        sd_event_source_disable_unref(s->input);
        sd_event_source_disable_unref(s->winch);
        sd_event_source_disable_unref(s->cont);
        g_string_free(s->buffer, true);
        g_array_unref(s->shown);
        g_free(s);
        return NULL;
}

ExitCode screen_code(const Screen *s) {
        return s->code;
}

bool screen_is_terminal(const Screen *s) {
        return s->terminal;
}
