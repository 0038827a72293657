// SPDX-License-Identifier: Apache-2.0
#include "json/codec.h"
#include "model/outlook.h"
#include "model/quantity_codec.h"

JSON_INSTANTIATE(penstock::OutlookSpec);
JSON_INSTANTIATE(penstock::SiteOutlook);
JSON_INSTANTIATE(penstock::OutlookView);
