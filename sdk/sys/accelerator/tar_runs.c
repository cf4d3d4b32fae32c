/* Plain entries of a tar archive, a run of them in one call and without the interpreter.
 *
 * Only what needs no judgement is done: a new file, directory or symbolic link with a plain name in a directory that
 * exists, described by nothing but its header, complete in the buffer. The first entry that is anything else, or any
 * call that fails, ends the run before that entry, and the caller does it in its own way, the messages of its faults
 * included. So there is one judge of what an archive may do, and it is not written in C.
 *
 * A name's parent is resolved by the kernel inside the root (openat2(2)). Only the last one is kept, within one call,
 * and only while nothing but regular files was added.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK 512
#define NAME_MAX_ALL 257 /* prefix, slash, name of a ustar header and a NUL */
#define OPENAT2 437      /* the same on every architecture: include/uapi/asm-generic/unistd.h */
#define LAST_SECOND 9223372035 /* later times do not fit into 64 bits of nanoseconds */
#define IN_ROOT 0x10     /* RESOLVE_* of linux/openat2.h */
#define NO_MAGICLINKS 0x02

struct open_how_0 { /* struct open_how of linux/openat2.h, in its first size */
    uint64_t flags, mode, resolve;
};

struct entry {
    char type, name[NAME_MAX_ALL], link[101];
    const char *base; /* the last component, within name; what stands before is the parent's path */
    uint64_t mode, uid, gid, size, mtime;
};

struct parent {
    int fd;
    char path[NAME_MAX_ALL];
};

/* An octal number followed by the field's end, a NUL, or blanks and NULs only. Everything else is not plain. */
static int octal(const char *field, size_t size, uint64_t *value)
{
    size_t at = 0;
    *value = 0;
    for (; at < size && field[at] >= '0' && field[at] <= '7'; at++)
        *value = *value * 8 + (uint64_t)(field[at] - '0');
    if (at == 0)
        return 0;
    if (at == size || field[at] == '\0')
        return 1;
    for (; at < size; at++)
        if (field[at] != ' ' && field[at] != '\0')
            return 0;
    return 1;
}

static int checksum_holds(const char *block)
{
    uint64_t wanted;
    unsigned long sum = 8 * ' ';
    for (int at = 0; at < BLOCK; at++)
        if (at < 148 || at >= 156)
            sum += (unsigned char)block[at];
    return octal(block + 148, 8, &wanted) && wanted == sum;
}

/* Prefix and name, joined, without a leading "./" and the slash at the end of a directory's. */
static int read_name(const char *block, struct entry *entry)
{
    char joined[NAME_MAX_ALL];
    size_t size = 0;
    int ustar = memcmp(block + 257, "ustar\0", 6) == 0;
    if (!ustar && memcmp(block + 257, "ustar  ", 8) != 0)
        return 0;
    if (ustar && memcmp(block + 508, "tar", 4) == 0)
        return 0; /* star, which keeps other things in the prefix */
    if (ustar && block[345]) {
        size = strnlen(block + 345, 155);
        memcpy(joined, block + 345, size);
        joined[size++] = '/';
    }
    size_t length = strnlen(block, 100);
    memcpy(joined + size, block, length);
    size += length;
    joined[size] = '\0';
    const char *start = strncmp(joined, "./", 2) == 0 ? joined + 2 : joined;
    size -= (size_t)(start - joined);
    if (entry->type == '5' && size && start[size - 1] == '/')
        size--;
    memcpy(entry->name, start, size);
    entry->name[size] = '\0';
    return 1;
}

/* Whether all components are plain: none empty, "." or "..", and the last one no whiteout. Finds the last. */
static int split_name(struct entry *entry)
{
    const char *part = entry->name;
    for (;;) {
        size_t size = strcspn(part, "/");
        if (size == 0 || (part[0] == '.' && (size == 1 || (size == 2 && part[1] == '.'))))
            return 0;
        if (part[size] == '\0')
            break;
        part += size + 1;
    }
    entry->base = part;
    return strncmp(part, ".wh.", 4) != 0;
}

static int read_header(const char *block, struct entry *entry)
{
    entry->type = block[156];
    if (entry->type != '0' && entry->type != '2' && entry->type != '5')
        return 0;
    if (!checksum_holds(block) || !read_name(block, entry) || !split_name(entry))
        return 0;
    if (!octal(block + 100, 8, &entry->mode) || !octal(block + 108, 8, &entry->uid) ||
        !octal(block + 116, 8, &entry->gid) || !octal(block + 124, 12, &entry->size) ||
        !octal(block + 136, 12, &entry->mtime) || entry->mtime > LAST_SECOND)
        return 0;
    if (entry->type != '0')
        entry->size = 0; /* nothing follows these, whatever their header says */
    size_t length = strnlen(block + 157, 100);
    memcpy(entry->link, block + 157, length);
    entry->link[length] = '\0';
    return entry->type != '2' || length > 0;
}

static void forget(struct parent *parent)
{
    if (parent->fd >= 0)
        close(parent->fd);
    parent->fd = -1;
}

static int find_parent(int root, const struct entry *entry, struct parent *parent)
{
    char path[NAME_MAX_ALL] = ".";
    size_t size = (size_t)(entry->base - entry->name);
    if (size) {
        memcpy(path, entry->name, size - 1);
        path[size - 1] = '\0';
    }
    if (parent->fd >= 0 && strcmp(path, parent->path) == 0)
        return 1;
    forget(parent);
    struct open_how_0 how = {O_PATH | O_DIRECTORY | O_CLOEXEC, 0, IN_ROOT | NO_MAGICLINKS};
    parent->fd = (int)syscall(OPENAT2, root, path, &how, sizeof how);
    strcpy(parent->path, path);
    return parent->fd >= 0;
}

/* The owner comes first, since changing it takes set-id bits away; times last. */
static int set_attributes(int fd, const struct entry *entry)
{
    struct timespec times[2] = {{.tv_sec = (time_t)entry->mtime}, {.tv_sec = (time_t)entry->mtime}};
    return fchown(fd, (uid_t)entry->uid, (gid_t)entry->gid) == 0 && fchmod(fd, entry->mode & 07777) == 0 &&
           futimens(fd, times) == 0;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno != EINTR)
            return 0;
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return 1;
}

static int make_file(int parent, const struct entry *entry, const char *data)
{
    int fd = openat(parent, entry->base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return 0;
    int done = write_all(fd, data, entry->size) && set_attributes(fd, entry);
    return close(fd) == 0 && done;
}

static int make_directory(int parent, const struct entry *entry)
{
    if (mkdirat(parent, entry->base, 0700) != 0)
        return 0;
    int fd = openat(parent, entry->base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return 0;
    int done = set_attributes(fd, entry);
    return close(fd) == 0 && done;
}

static int make_symlink(int parent, const struct entry *entry)
{
    struct timespec times[2] = {{.tv_sec = (time_t)entry->mtime}, {.tv_sec = (time_t)entry->mtime}};
    return symlinkat(entry->link, parent, entry->base) == 0 &&
           fchownat(parent, entry->base, (uid_t)entry->uid, (gid_t)entry->gid, AT_SYMLINK_NOFOLLOW) == 0 &&
           utimensat(parent, entry->base, times, AT_SYMLINK_NOFOLLOW) == 0;
}

static int make(int parent, const struct entry *entry, const char *data)
{
    if (entry->type == '0')
        return make_file(parent, entry, data);
    return entry->type == '5' ? make_directory(parent, entry) : make_symlink(parent, entry);
}

/* Bytes of `data` that were dealt with. At most `room` entries are made; `made` tells how many, `folders` where in
 * `data` the headers of `folder_count` directories among them stand (it has room for as many as entries). */
size_t extract_run(int root, const char *data, size_t size, size_t room, size_t *made, size_t *folders,
                   size_t *folder_count)
{
    struct parent parent = {.fd = -1};
    struct entry entry;
    size_t at = 0;
    *made = *folder_count = 0;
    while (*made < room && size - at >= BLOCK && read_header(data + at, &entry)) {
        /* The size has at most twelve octal digits, so this does not wrap. */
        uint64_t whole = BLOCK + (entry.size + BLOCK - 1) / BLOCK * BLOCK;
        if (whole > size - at || !find_parent(root, &entry, &parent) || !make(parent.fd, &entry, data + at + BLOCK))
            break;
        if (entry.type == '5')
            folders[(*folder_count)++] = at;
        if (entry.type != '0')
            forget(&parent);
        at += whole;
        (*made)++;
    }
    forget(&parent);
    return at;
}
