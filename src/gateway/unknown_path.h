// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "http/router.h"
#include "io/task.h"

namespace penstock::gateway {

// A filter of all requests: an unknown path below the token API's is answered in its error shape.
io::Task<http::Response> answer_unknown_path(http::Request&& request, http::Next next);

}  // namespace penstock::gateway
