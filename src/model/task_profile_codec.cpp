// SPDX-License-Identifier: Apache-2.0
#include "json/codec.h"
#include "model/task_profile.h"

JSON_INSTANTIATE(penstock::TaskProfile);
