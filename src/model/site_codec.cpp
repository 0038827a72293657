// SPDX-License-Identifier: Apache-2.0
#include "model/device_list_codec.h"
#include "model/quantity_codec.h"
#include "model/site.h"

JSON_INSTANTIATE(penstock::SiteSpec);
JSON_INSTANTIATE(penstock::Site);
JSON_INSTANTIATE(penstock::Pool);
JSON_INSTANTIATE(penstock::Node);
JSON_INSTANTIATE(penstock::Device);
JSON_INSTANTIATE(penstock::Offer);
JSON_INSTANTIATE(penstock::PriceList);
JSON_INSTANTIATE(penstock::Capacity);
