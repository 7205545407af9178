/* commands.c - the table of commands. */
#include <stdio.h>
#include <string.h>

#include "tools/coordctl/command.h"
#include "tools/coordctl/units.h"

#define READS_LATE                                                             \
    "With --stale any one server answers, without asking the others: what it " \
    "shows may be old,\nand its revision is told.\n"

const struct command commands[] = {
    {"status",
     "what each server of the cell says of itself",
     "Who is not reached is listed, too. 69 if none of them says anything; 70 if nobody leads, or\n"
     "the cell is not founded yet as some were never up: then the last line tells what is known.\n",
     "status",
     {"", 0, 0, 0, false},
     false,
     status_show},
    {"hash",
     "do all servers have the same state?",
     "Compares what they say of the same place in the log, for which it asks again and again\n"
     "until the deadline. AGREE and 0, or DIFFER and 1; 69 if no two of them could be compared.\n",
     "hash",
     {"", 0, 0, 0, false},
     false,
     status_hash},
    {"ls",
     "the children of a node",
     "With -R each is shown by its path. Every page of a long listing is consistent in\n"
     "itself; a name that is there throughout appears exactly once.\n" READS_LATE,
     "ls -l /app",
     {"PATH", TAKES_LONG | TAKES_RECURSIVE_LIST | TAKES_FRESHNESS, 1, 1, false},
     false,
     node_list},
    {"tree",
     "all that is below a node, as a tree",
     "Each folder is shown as it was at some moment, not all at the same one.\n",
     "tree /app",
     {"[PATH]", TAKES_LONG, 0, 1, false},
     false,
     node_tree},
    {"get",
     "the content of a node",
     "As it is with -o raw; with a newline behind it otherwise, if it has none.\n" READS_LATE,
     "get /app/config",
     {"PATH", TAKES_FRESHNESS, 1, 1, false},
     false,
     node_get},
    {"stat",
     "all about a node but its content",
     READS_LATE,
     "stat /app/config",
     {"PATH", TAKES_FRESHNESS, 1, 1, false},
     false,
     node_stat},
    {"put",
     "replace the content of a node",
     "Makes the node if it is missing, but not with --if-gen. Without VALUE, or with -,\n"
     "the content is read from standard input. With -o raw the new generation is printed.\n",
     "put --parents /app/config 'colour=blue'",
     {"PATH [VALUE|-]", TAKES_IF_GENERATION | TAKES_IF_SEQUENCER | TAKES_PARENTS, 1, 2, false},
     false,
     node_put},
    {"create",
     "make a node that does not exist",
     "With --ephemeral the node lives as long as this command, which goes on until INT or\n"
     "TERM; if the session is lost, and so the node, it ends with 76. With --sequential and\n"
     "-o raw the name that it got is printed.\n",
     "create --sequential --parents /queue/job- 'first job'",
     {"PATH [VALUE|-]",
      TAKES_EPHEMERAL | TAKES_SEQUENTIAL | TAKES_PARENTS | TAKES_IF_SEQUENCER | TAKES_TTL, 1, 2,
      false},
     false,
     node_create},
    {"mkdir",
     "make an empty permanent node",
     "With -p it may exist already.\n",
     "mkdir -p /app/workers",
     {"PATH", TAKES_PARENTS, 1, 1, false},
     false,
     node_make_directory},
    {"rm",
     "delete a node",
     "A node with children is deleted only with -r; a locked one only by its holder.\n",
     "rm -r /app",
     {"PATH", TAKES_RECURSIVE | TAKES_IF_GENERATION, 1, 1, false},
     false,
     node_remove},
    {"txn",
     "checks and changes, all of them or none",
     "One of them on each line of FILE, in words with blanks between. 'quoted' is taken as it\n"
     "is; \"quoted\" knows \\\\ \\\" \\n \\t \\r and \\xHH. Behind a # is a comment.\n"
     "\n"
     "  check exists PATH\n"
     "  check absent PATH\n"
     "  check generation PATH N\n"
     "  check sequencer SEQUENCER\n"
     "  put PATH VALUE [--parents] [--if-gen N] [--if-seq SEQUENCER]\n"
     "  create PATH [VALUE] [--parents] [--sequential] [--if-seq SEQUENCER]\n"
     "  delete PATH [--if-gen N] [--if-seq SEQUENCER]\n"
     "\n"
     "First all checks are made, wherever they stand, then the changes in their order; each\n"
     "sees what those before it did. If one does not hold, its line is named, nothing was\n"
     "changed, and the code is 1. At most 128 of them.\n",
     "txn -f - <<'END'\ncheck absent /app/owner\nput /app/owner \"me\"\nEND",
     {"", TAKES_FILE, 0, 0, false},
     false,
     txn_run},
    {"watch",
     "the present state of a node, then a line for each event",
     "Until INT or TERM. The node need not exist. With -o json each line is an object.\n"
     "Nothing is left out: where that cannot be there is a resync event, whose revision says\n"
     "behind what all is told again. With --from there is no present state, only what came\n"
     "after that revision.\n"
     "\n"
     "With --exec CMD is run for each instead, the present state among them, in their order\n"
     "and one at a time. It finds COORD_EVENT_KIND, COORD_EVENT_PATH, COORD_EVENT_REVISION,\n"
     "COORD_EVENT_EXISTS (0 or 1) and COORD_EVENT_GENERATION (of the content) in its\n"
     "environment, and with --value the content on its standard input. If it fails, the watch\n"
     "ends with its code, and no later event is touched ('CMD || true' goes on).\n",
     "watch -r --value /app --exec 'echo $COORD_EVENT_KIND $COORD_EVENT_PATH'",
     {"PATH",
      TAKES_VALUE_SHOWN | TAKES_SUBTREE | TAKES_CHILDREN | TAKES_FROM | TAKES_EXEC | TAKES_TTL, 1,
      1, false},
     true,
     watch_node},
    {"lock",
     "hold the lock of a node while CMD runs",
     "Makes the node if it is missing, and its parents. CMD finds COORD_LOCK_SEQUENCER and\n"
     "COORD_LOCK_PATH in its environment. INT, TERM and HUP are passed on to CMD; when it ends,\n"
     "what is left of its process group is ended, the lock is released, and its exit code is\n"
     "ours. If our lease runs low CMD gets TERM, then KILL before anybody else can be given it;\n"
     "the exit code is 76; 75 if the lock was not acquired. A guardian process sees to that\n"
     "even if we are killed or stopped. With --contain it reaches what left CMD's group, too.\n"
     "Without CMD the sequencer is printed and the lock held until INT or TERM.\n"
     "A CMD that works on something other than the cell should hand the sequencer along.\n",
     "lock --wait 30s /app/backup -- sh -c 'echo alone, by $COORD_LOCK_SEQUENCER'",
     {"PATH [-- CMD ARG...]",
      TAKES_SHARED | TAKES_DELAY | TAKES_TRY | TAKES_WAIT | TAKES_TTL | TAKES_CONTAIN, 1, 1, true},
     true,
     lock_hold},
    {"elect",
     "stand for election, lead while CMD runs",
     "As lock; VALUE becomes the content of the node in the very step that elects, and is\n"
     "cleared when we resign. See also: leader, resign.\n",
     "elect /app/leader --value 10.0.0.1:80 -- sleep 1",
     {"PATH --value VALUE [-- CMD ARG...]",
      TAKES_VALUE_TEXT | TAKES_DELAY | TAKES_TRY | TAKES_WAIT | TAKES_TTL | TAKES_CONTAIN, 1, 1,
      true},
     true,
     lock_elect},
    {"leader",
     "who leads: its value and sequencer",
     "The exit code is 1 if nobody leads. With --follow there is a line for the present leader\n"
     "and for every later one, or for nobody, until INT or TERM.\n",
     "leader /app/leader -o raw",
     {"PATH", TAKES_FOLLOW | TAKES_TTL, 1, 1, false},
     false,
     leader_show},
    {"resign",
     "have the present leader resign, from wherever",
     "Its command is ended, and whoever stands next is elected. Only if it is still the one\n"
     "that --if-seq names, if that is given. Without PATH it is $COORD_LOCK_PATH, and then\n"
     "--if-seq $COORD_LOCK_SEQUENCER: a command under 'elect' ends its own leadership so.\n",
     "resign /app/leader",
     {"[PATH]", TAKES_IF_SEQUENCER | TAKES_WAIT_FORCE, 0, 1, false},
     false,
     force_resign},
    {"locks",
     "who holds and who waits, at PATH and below",
     "NOTE says what is to happen: revoking, a holder that is to let go; delayed, a lock that\n"
     "nobody gets yet since its holder died.\n",
     "locks /app",
     {"[PATH]", 0, 0, 1, false},
     false,
     locks_show},
    {"check",
     "is the lock that it names still held?",
     "The exit code is 0 if it is, 1 if not, 2 if that is no sequencer.\n",
     "check \"$COORD_LOCK_SEQUENCER\"",
     {"SEQUENCER", 0, 1, 1, false},
     false,
     locks_check},
    {"unlock",
     "take a lock from whoever holds it",
     "Says who held it, and waits until they have let go and whoever is next has it. A holder\n"
     "that does not answer loses it when its lease runs out; then its delay counts, too.\n"
     "1 if nobody holds it, or --wait is over first: it is taken even so, a little later.\n",
     "unlock --force /app/backup",
     {"PATH", TAKES_FORCE | TAKES_WAIT_FORCE, 1, 1, false},
     false,
     force_unlock},
    {"session ls",
     "the sessions of the cell",
     "",
     "session ls",
     {"", 0, 0, 0, false},
     false,
     locks_sessions},
    {"session kill",
     "end a session, and all that it holds",
     "Waits until it has ended: when its library agrees, else when its lease has run out.\n"
     "1 if there is none, or --wait is over first: it ends even so, a little later.\n",
     "session kill 12",
     {"ID", TAKES_WAIT_FORCE, 1, 1, false},
     false,
     force_session_kill},
    {"step-down",
     "have the leader of the cell hand over",
     "To be done before its machine is. Nothing is lost, and calls are at most slow for a\n"
     "moment. Returns when another member leads.\n",
     "step-down --to 2",
     {"", TAKES_TO, 0, 0, false},
     false,
     force_step_down},
    {NULL, NULL, NULL, NULL, {NULL, 0, 0, 0, false}, false, NULL},
};

const struct command *command_find(int argc, char **argv, int *ret_words)
{
    char two[64];
    for (int words = argc > 1 ? 2 : 1; words > 0; words--) {
        snprintf(two, sizeof(two), "%s%s%s", argv[0], words > 1 ? " " : "",
                 words > 1 ? argv[1] : "");
        for (const struct command *c = commands; c->name != NULL; c++) {
            if (strcmp(c->name, two) == 0) {
                *ret_words = words;
                return c;
            }
        }
    }
    return NULL;
}

const char *command_nearest(const char *word)
{
    const char *nearest = NULL;
    /* One slip in a short word, two in a longer one. */
    size_t least = strlen(word) < 4 ? 2 : 3;
    for (const struct command *c = commands; c->name != NULL; c++) {
        size_t distance = units_distance(word, c->name);
        if (distance < least) {
            least = distance;
            nearest = c->name;
        }
    }
    return nearest;
}
