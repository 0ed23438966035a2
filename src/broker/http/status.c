#include "http/status.h"

#include <http_parser.h>

const char *http_status_reason(int status)
{
    const char *reason = http_status_str((enum http_status)status);

    return reason[0] == '<' ? "" : reason;
}
