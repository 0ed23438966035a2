#include "support/pieces.h"

struct pieces pieces_way(int way)
{
    enum pieces_kind kind = way == 0 ? PIECES_WHOLE : way == 1 ? PIECES_BYTES : PIECES_RANDOM;

    return (struct pieces){kind, dice_of((uint64_t)way)};
}

size_t pieces_next(struct pieces *p, size_t left)
{
    switch (p->kind) {
    case PIECES_WHOLE:
        return left;
    case PIECES_BYTES:
        return 1;
    default:
        /* Small and large ones: both ends of a line, and several lines at once. */
        return 1 + dice_roll(&p->dice, dice_percent(&p->dice, 50) && left > 4 ? 4 : left);
    }
}
