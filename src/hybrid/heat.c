/* hybrid/heat.c - see heat.h.
 */
#include "hybrid/heat.h"

#include <string.h>

/** Seen so often, all blocks near each other together, code is worth a look; it is hot if so many
 * of the recent slices ended near it. Of code to which a fifth of the time goes one in fifty such
 * dozens says that, of a third one in six. */
#define OFTEN 4u
#define HOT_OF_RECENT (VT_HEAT_RECENT / 2)
/** Of the recent slices so many near each other may become as many; and after how many that are
 * not it is taken for granted that they do not. */
#define FEW_OF_RECENT 3u
#define SCATTERED (2 * VT_HEAT_RECENT)
/** Bytes within which a look sees what runs, too. */
#define NEAR 1024u
#define SEEN_MAX 16u
/** In a look that was made for a place something else may have run: so it has more than one. */
#define LOOKS 2u
#define PROGRAM_SHIFT 48

static uint64_t place_of(uint64_t pc, const char *program, size_t room)
{
    uint64_t name = 0;
    /* The upper half of addresses is the kernel's, whoever runs. */
    for (size_t i = 0; pc >> 63 == 0 && i < room && program[i] != '\0'; i++) {
        name = name * 131 + (uint8_t)program[i];
    }
    uint64_t place = pc ^ name << PROGRAM_SHIFT;
    return place != 0 ? place : 1;
}

/* Nothing is near 0, which is none. */
static bool is_near(uint64_t place, uint64_t other)
{
    return other != 0 && (place > other ? place - other : other - place) <= NEAR;
}

static bool is_new(const struct vt_heat_map *map, const struct vt_heat_place *p)
{
    bool shown = p->looked >= LOOKS;
    for (uint32_t i = 0; i < VT_HEAT_SHOWN && !shown; i++) {
        shown = p->place >= map->shown[i].first && p->place <= map->shown[i].last;
    }
    return !shown;
}

static struct vt_heat_place *entry_of(struct vt_heat_map *map, uint64_t place)
{
    struct vt_heat_place *p = &map->places[0], *end = p + VT_HEAT_PLACES, *free_one = p;
    for (; p < end && p->place != place; p++) {
        free_one = p->place == 0 ? p : free_one;
    }
    if (p == end) {
        p = free_one;
        *p = (struct vt_heat_place){.place = place};
    }
    return p;
}

void vt_heat_idle(struct vt_heat_map *map)
{
    if (++map->slices % VT_HEAT_HALF != 0) {
        return;
    }
    for (uint32_t i = 0; i < VT_HEAT_PLACES; i++) {
        map->places[i].seen /= 2;
        if (map->places[i].seen == 0) {
            map->places[i] = (struct vt_heat_place){0};
        }
    }
}

enum vt_heat vt_heat_note(struct vt_heat_map *map, uint64_t pc, const char *program, size_t room)
{
    vt_heat_idle(map);
    struct vt_heat_place *here = entry_of(map, place_of(pc, program, room));
    here->seen += here->seen < SEEN_MAX;
    map->recent[map->busy++ % VT_HEAT_RECENT] = here->place;
    if (!is_new(map, here)) {
        return VT_COLD;
    }
    uint32_t often = 0, near = 0;
    for (uint32_t i = 0; i < VT_HEAT_PLACES; i++) {
        const struct vt_heat_place *p = &map->places[i];
        often += is_near(here->place, p->place) && is_new(map, p) ? p->seen : 0;
    }
    for (uint32_t i = 0; i < VT_HEAT_RECENT; i++) {
        near += is_near(here->place, map->recent[i]);
    }
    map->scattered = near >= FEW_OF_RECENT ? 0 : map->scattered + 1;
    if (often < OFTEN) {
        return VT_COLD;
    }
    map->wanted = here->place;
    return near >= HOT_OF_RECENT ? VT_HOT : VT_WARM;
}

bool vt_heat_is_scattered(const struct vt_heat_map *map)
{
    return map->scattered >= SCATTERED;
}

void vt_heat_look(struct vt_heat_map *map)
{
    for (uint32_t i = 0; i < VT_HEAT_PLACES && map->wanted != 0; i++) {
        struct vt_heat_place *p = &map->places[i];
        p->looked += is_near(map->wanted, p->place);
    }
    map->wanted = 0;
}

void vt_heat_shows(struct vt_heat_map *map, uint64_t pc, uint64_t bytes, const char *program)
{
    uint64_t first = place_of(pc, program, strlen(program)), last = first + bytes - 1;
    for (uint32_t i = 0; i < VT_HEAT_SHOWN; i++) {
        struct vt_heat_shown *s = &map->shown[i];
        if (s->first != 0 && first <= s->last + 1 &&
            s->first <= last + 1) { /* a loop's next block */
            s->first = first < s->first ? first : s->first;
            s->last = last > s->last ? last : s->last;
            return;
        }
    }
    map->shown[map->n_shown++ % VT_HEAT_SHOWN] =
        (struct vt_heat_shown){.first = first, .last = last};
}

void vt_heat_forget(struct vt_heat_map *map)
{
    *map = (struct vt_heat_map){.slices = map->slices, .busy = map->busy};
}
