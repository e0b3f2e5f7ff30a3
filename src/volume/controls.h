/* volume/controls.h - what keys, buttons, wheel and drags mean for cameras and a scene.
 *
 * Inputs of any window system go in; cameras, the scene and a method come out, and an action where
 * more than these is asked for. Up to VT_CONTROLS_PANES pictures lie beside each other: each has a
 * camera, moved together while they are linked; the scene is one for all. Flights and the turntable
 * move by vt_controls_tick.
 *
 *   left drag            orbits          1-7       views: iso front back left right top bottom
 *   right, shift + drag  pans            0         all of RAM
 *   wheel, pinch         zooms           h b l f   heat, boxes, labels, frame
 *   click                picks           d p m     dim others, palette, method
 *   double click         flies there     x y z [ ] slice planes, and moves the last one
 *   arrows, + shift      orbit, pan      t T       more, less transparent
 *   + -                  zoom            r k       turntable, link cameras
 *   Esc                  clears          ? q       help, quit;  F11 full screen, F12 screenshot
 *
 * Pure: the clock is the caller's, in seconds, and only grows.
 */
#ifndef VT_VOLUME_CONTROLS_H
#define VT_VOLUME_CONTROLS_H

#include "vitrine/scene.h"

#define VT_CONTROLS_PANES 4u

enum vt_input_kind {
    VT_INPUT_PRESS,   /**< of a button */
    VT_INPUT_RELEASE, /**< of a button, wherever the pointer is by now */
    VT_INPUT_MOTION,
    VT_INPUT_WHEEL, /**< `amount`: notches away from the user */
    VT_INPUT_PINCH, /**< `amount`: how many times wider the fingers are apart */
    VT_INPUT_KEY,   /**< pressed, or repeated */
    VT_INPUT_LEAVE, /**< the window lost the pointer: nothing is held any more */
};
enum vt_button { VT_BUTTON_LEFT, VT_BUTTON_MIDDLE, VT_BUTTON_RIGHT };
/** Keys are what they write ('x', 'T', '?'); others are these. */
enum vt_key {
    VT_KEY_ESCAPE = 27,
    VT_KEY_LEFT = 0x110000, /* past all of Unicode */
    VT_KEY_RIGHT = 0x110001,
    VT_KEY_UP = 0x110002,
    VT_KEY_DOWN = 0x110003,
    VT_KEY_F11 = 0x110004,
    VT_KEY_F12 = 0x110005,
};

struct vt_input {
    enum vt_input_kind kind;
    unsigned pane;         /**< where the pointer is */
    double x, y;           /**< pixels of that pane, y down */
    enum vt_button button; /**< of _PRESS and _RELEASE */
    unsigned clicks;       /**< of _RELEASE: 2 ends a double click */
    double amount;
    uint32_t key;
    bool shift;
};

/** What else an input asks for. */
enum vt_action {
    VT_ACTION_NONE,
    VT_ACTION_PICK,  /**< say what is at (pane, x, y) of the input */
    VT_ACTION_VISIT, /**< fly to it: vt_controls_fly */
    VT_ACTION_CLEAR, /**< forget what was picked */
    VT_ACTION_SCREENSHOT,
    VT_ACTION_FULLSCREEN,
    VT_ACTION_QUIT,
};

/** One picture of several. */
struct vt_controls_pane {
    struct vt_camera camera;
    double width, height; /* pixels */
    struct vt_box whole;  /* of its RAM */
    unsigned order;
    struct vt_camera from, to; /* of a flight */
    double began_s, lasts_s;   /* lasts_s 0: none */
};

/** Change scene, method, help and cameras through inputs, or before the first one. */
struct vt_controls {
    struct vt_scene scene;
    enum vt_method method;
    bool help;   /**< the list of keys is asked for */
    bool linked; /**< cameras move together */
    bool turntable;
    unsigned n_panes, active; /**< the pane that was touched last */
    struct vt_controls_pane pane[VT_CONTROLS_PANES];
    uint32_t camera_changes, scene_changes; /**< grow when something of them did */

    /* what is under way */
    bool held, dragged, pans;
    enum vt_button button;
    double x, y, press_x, press_y;
    unsigned plane;  /* the slice that [ and ] move */
    double turned_s; /* the turntable's last turn; negative: none yet */
};

/** The view "iso" in each pane, linked. n_panes 1-VT_CONTROLS_PANES. */
void vt_controls_init(struct vt_controls *controls, unsigned n_panes);
/** A pane's size in pixels. */
void vt_controls_resize(struct vt_controls *controls, unsigned pane, double width, double height);
/** The RAM a pane shows; the first time it is framed. */
void vt_controls_volume(struct vt_controls *controls, unsigned pane, uint64_t ram_bytes);
/** Takes an input; an unknown key or pane is none. */
enum vt_action vt_controls_input(struct vt_controls *controls, const struct vt_input *input,
                                 double now_s);
/** A flight from where the pane's camera is; linked ones fly along. */
void vt_controls_fly(struct vt_controls *controls, unsigned pane, const struct vt_camera *to,
                     double now_s);
/** So that the page of RAM-file offset `offset` lies in the middle, seen from the same side. */
void vt_controls_visit(struct vt_controls *controls, unsigned pane, struct vt_off offset,
                       double now_s);
/** Moves what moves by itself. Whether the cameras are moving: by a flight, the turntable or a hand
 *  that still holds them. */
bool vt_controls_tick(struct vt_controls *controls, double now_s);
/** Whether something moves by itself, so that vt_controls_tick must be called again soon. */
bool vt_controls_busy(const struct vt_controls *controls);

#endif
