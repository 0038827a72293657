// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/money.h"
#include "base/time.h"

namespace penstock::routing {

// A value with the number of samples it rests on; nothing where there is none.
struct Measured {
    std::optional<double> value;
    std::int64_t samples = 0;
};

// What calls to one supplier of one model have shown of late.
struct SupplierFigures {
    Measured first_token_ms_p50;
    Measured first_token_ms_p95;
    Measured tokens_per_second_p50;  // of single calls, from the first to the last token
    Measured success_share;
    // What was charged over the tokens it was charged for, input and output together.
    std::optional<Price> price_per_million_tokens;
    std::int64_t tokens_priced = 0;
};

// One attempt that ended.
struct SupplierSample {
    bool succeeded = false;
    std::optional<double> tokens_per_second;
    std::int64_t tokens = 0;  // charged for
    ExactMoney charge;
};

// The last attempts at one supplier, and the last first tokens of streams: rings of at most
// kSamplesMax each, of the last kSpan. Exact over what they hold. Pure; one owner.
class SupplierWindow {
  public:
    static constexpr std::size_t kSamplesMax = 256;
    static constexpr Duration kSpan = 10min;

    void add(const SupplierSample& sample, Time now);
    void add_first_token(Duration after, Time now);
    SupplierFigures figures(Time now) const;
    // As in figures(); cheaper.
    Measured first_token_ms(double share, Time now) const;
    Measured tokens_per_second(double share, Time now) const;

  private:
    template <class T>
    struct Ring {
        struct Kept {
            T value;
            Time at;
        };
        std::vector<Kept> kept;
        std::size_t next = 0;
        void add(const T& value, Time now);
    };

    Ring<SupplierSample> attempts_;
    Ring<Duration> first_tokens_;
};

}  // namespace penstock::routing
