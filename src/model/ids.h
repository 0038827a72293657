// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/id.h"

// One tag per noun, so that no id can be passed for another. The prefixes are stable: they are part
// of the API.
namespace penstock {

#define PENSTOCK_ID(Name, prefix)                           \
    struct Name##Tag {                                      \
        static constexpr std::string_view kPrefix = prefix; \
    };                                                      \
    using Name##Id = Id<Name##Tag>

PENSTOCK_ID(Organisation, "og");
PENSTOCK_ID(Project, "pj");
PENSTOCK_ID(User, "us");
PENSTOCK_ID(Key, "ky");
PENSTOCK_ID(Site, "st");
PENSTOCK_ID(Node, "nd");
PENSTOCK_ID(Task, "tk");
PENSTOCK_ID(Attempt, "at");
PENSTOCK_ID(Service, "sv");
PENSTOCK_ID(Endpoint, "ep");
PENSTOCK_ID(Usage, "ug");
PENSTOCK_ID(Lease, "ls");
PENSTOCK_ID(Request, "rq");
PENSTOCK_ID(Run, "rn");
PENSTOCK_ID(Decision, "dc");

#undef PENSTOCK_ID

}  // namespace penstock
