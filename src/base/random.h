// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace penstock {

// The seam to randomness.
class Random {
  public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;
    // Uniform in [0, bound); bound > 0. Unbiased.
    std::uint64_t below(std::uint64_t bound);
    // Uniform in [0, 1).
    double unit();
};

// From the operating system; fit for keys. Asks for many words at a time; each leaves memory when
// it is given out, and no copy of the object may give it out again.
class SystemRandom final : public Random {
  public:
    SystemRandom() = default;
    SystemRandom(const SystemRandom&) = delete;
    SystemRandom& operator=(const SystemRandom&) = delete;
    std::uint64_t next() override;

  private:
    static constexpr std::size_t kWords = 32;  // 256 bytes: what the system gives uninterrupted
    std::array<std::uint64_t, kWords> words_{};
    std::size_t left_ = 0;
};

// xoshiro256** (Blackman and Vigna): the same seed gives the same sequence on every machine.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed);
    std::uint64_t next() override;

  private:
    std::array<std::uint64_t, 4> state_{};
};

// `length` characters of [0-9A-Za-z], unbiased; about 5.95 bits each.
std::string random_text(Random& random, std::size_t length);

}  // namespace penstock
