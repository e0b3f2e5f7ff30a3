/* virtio/gpu/state.c - which event leads where: the driver's table and a resource's. */
#include "virtio/gpu/driver.h"

/* 0 is "refused": each entry is the next state plus one. */
#define TO(state) ((uint8_t)(VT_VGPU_##state + 1))
#define TO_RES(state) ((uint8_t)(VT_VGPU_RES_##state + 1))

/* An error state is left by a reset or by giving the device back, and by nothing else. */
#define ERROR_STATE                                                                                \
    {[VT_VGPU_EV_RESET] = TO(RECOVERING), [VT_VGPU_EV_SHUT_DOWN] = TO(UNINITIALISED)}

static const uint8_t transitions[VT_VGPU_STATES][VT_VGPU_EVENTS] = {
    [VT_VGPU_UNINITIALISED] =
        {
            [VT_VGPU_EV_PROBE] = TO(NEGOTIATED),
            [VT_VGPU_EV_RESET_FAILED] = TO(UNUSABLE),
        },
    [VT_VGPU_NEGOTIATED] =
        {
            [VT_VGPU_EV_QUEUES_RUN] = TO(READY),
            [VT_VGPU_EV_RESET_FAILED] = TO(UNUSABLE),
        },
    [VT_VGPU_READY] =
        {
            [VT_VGPU_EV_SUBMIT] = TO(READY),
            [VT_VGPU_EV_RESPONSE] = TO(READY),
            [VT_VGPU_EV_DISPLAY_CHANGED] = TO(READY),
            [VT_VGPU_EV_TIMEOUT] = TO(TIMED_OUT),
            [VT_VGPU_EV_QUEUE_FAULT] = TO(BROKEN_QUEUE),
            [VT_VGPU_EV_ANSWER_FAULT] = TO(BROKEN_ANSWER),
            [VT_VGPU_EV_NEEDS_RESET] = TO(NEEDS_RESET),
            [VT_VGPU_EV_SHUT_DOWN] = TO(UNINITIALISED),
        },
    [VT_VGPU_RECOVERING] =
        {
            [VT_VGPU_EV_PROBE] = TO(NEGOTIATED),
            [VT_VGPU_EV_RESET_FAILED] = TO(UNUSABLE),
        },
    [VT_VGPU_TIMED_OUT] = ERROR_STATE,
    [VT_VGPU_BROKEN_QUEUE] = ERROR_STATE,
    [VT_VGPU_BROKEN_ANSWER] = ERROR_STATE,
    [VT_VGPU_NEEDS_RESET] = ERROR_STATE,
    [VT_VGPU_UNUSABLE] = ERROR_STATE,
};

static const uint8_t steps[VT_VGPU_RES_STATES][VT_VGPU_STEPS] = {
    [VT_VGPU_RES_FREE] =
        {
            [VT_VGPU_STEP_CREATE] = TO_RES(CREATED),
        },
    [VT_VGPU_RES_CREATED] =
        {
            [VT_VGPU_STEP_BACK] = TO_RES(BACKED),
            [VT_VGPU_STEP_DESTROY] = TO_RES(FREE),
            [VT_VGPU_STEP_RESET] = TO_RES(LOST),
        },
    [VT_VGPU_RES_BACKED] =
        {
            [VT_VGPU_STEP_UNBACK] = TO_RES(CREATED),
            [VT_VGPU_STEP_SHOW] = TO_RES(SHOWN),
            [VT_VGPU_STEP_TRANSFER] = TO_RES(BACKED),
            [VT_VGPU_STEP_FLUSH] = TO_RES(BACKED),
            [VT_VGPU_STEP_DESTROY] = TO_RES(FREE),
            [VT_VGPU_STEP_RESET] = TO_RES(LOST),
        },
    [VT_VGPU_RES_SHOWN] =
        {
            [VT_VGPU_STEP_SHOW] = TO_RES(SHOWN),
            [VT_VGPU_STEP_HIDE] = TO_RES(BACKED),
            [VT_VGPU_STEP_TRANSFER] = TO_RES(SHOWN),
            [VT_VGPU_STEP_FLUSH] = TO_RES(SHOWN),
            [VT_VGPU_STEP_RESET] = TO_RES(LOST),
        },
    [VT_VGPU_RES_LOST] =
        {
            [VT_VGPU_STEP_DESTROY] = TO_RES(FREE),
            [VT_VGPU_STEP_RESET] = TO_RES(LOST),
        },
};

enum vt_vgpu_state vt_vgpu_state_after(enum vt_vgpu_state now, enum vt_vgpu_event event)
{
    uint8_t next = now < VT_VGPU_STATES && event < VT_VGPU_EVENTS ? transitions[now][event] : 0;
    return next == 0 ? VT_VGPU_STATES : (enum vt_vgpu_state)(next - 1);
}

unsigned vt_vgpu_resource_after(enum vt_vgpu_resource_state now, enum vt_vgpu_step step)
{
    uint8_t next = now < VT_VGPU_RES_STATES && step < VT_VGPU_STEPS ? steps[now][step] : 0;
    return next == 0 ? VT_VGPU_RES_STATES : (unsigned)(next - 1);
}

bool vt_vgpu_state_is_error(enum vt_vgpu_state state)
{
    return state >= VT_VGPU_TIMED_OUT && state < VT_VGPU_STATES;
}

const char *vt_vgpu_state_name(enum vt_vgpu_state state)
{
    static const char *const names[VT_VGPU_STATES] = {
        [VT_VGPU_UNINITIALISED] = "UNINITIALISED",
        [VT_VGPU_NEGOTIATED] = "NEGOTIATED",
        [VT_VGPU_READY] = "READY",
        [VT_VGPU_RECOVERING] = "RECOVERING",
        [VT_VGPU_TIMED_OUT] = "TIMED_OUT",
        [VT_VGPU_BROKEN_QUEUE] = "BROKEN_QUEUE",
        [VT_VGPU_BROKEN_ANSWER] = "BROKEN_ANSWER",
        [VT_VGPU_NEEDS_RESET] = "NEEDS_RESET",
        [VT_VGPU_UNUSABLE] = "UNUSABLE",
    };
    return state < VT_VGPU_STATES ? names[state] : "?";
}

const char *vt_vgpu_event_name(enum vt_vgpu_event event)
{
    static const char *const names[VT_VGPU_EVENTS] = {
        [VT_VGPU_EV_PROBE] = "PROBE",
        [VT_VGPU_EV_QUEUES_RUN] = "QUEUES_RUN",
        [VT_VGPU_EV_SUBMIT] = "SUBMIT",
        [VT_VGPU_EV_RESPONSE] = "RESPONSE",
        [VT_VGPU_EV_DISPLAY_CHANGED] = "DISPLAY_CHANGED",
        [VT_VGPU_EV_TIMEOUT] = "TIMEOUT",
        [VT_VGPU_EV_QUEUE_FAULT] = "QUEUE_FAULT",
        [VT_VGPU_EV_ANSWER_FAULT] = "ANSWER_FAULT",
        [VT_VGPU_EV_NEEDS_RESET] = "NEEDS_RESET",
        [VT_VGPU_EV_RESET] = "RESET",
        [VT_VGPU_EV_RESET_FAILED] = "RESET_FAILED",
        [VT_VGPU_EV_SHUT_DOWN] = "SHUT_DOWN",
    };
    return event < VT_VGPU_EVENTS ? names[event] : "?";
}

const char *vt_vgpu_resource_state_name(enum vt_vgpu_resource_state state)
{
    static const char *const names[VT_VGPU_RES_STATES] = {
        [VT_VGPU_RES_FREE] = "FREE",     [VT_VGPU_RES_CREATED] = "CREATED",
        [VT_VGPU_RES_BACKED] = "BACKED", [VT_VGPU_RES_SHOWN] = "SHOWN",
        [VT_VGPU_RES_LOST] = "LOST",
    };
    return state < VT_VGPU_RES_STATES ? names[state] : "?";
}
