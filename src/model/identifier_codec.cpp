// SPDX-License-Identifier: Apache-2.0
#include "json/codec.h"
#include "model/identifier.h"

JSON_INSTANTIATE(penstock::Identifier);
JSON_INSTANTIATE(penstock::IdentifierPage);
