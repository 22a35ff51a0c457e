// The MODP groups (RFC 3526) on OpenSSL, whose copies of the primes are used.
#include "controlplane/ike/crypto_groups.hpp"
#include "controlplane/ike/crypto_openssl.hpp"

namespace nave::ike {

namespace {

using openssl::require;

struct ModularGroup {
    openssl::Number prime, last;  // last: p - 1, whose order is 2
    openssl::Montgomery montgomery;
    std::size_t size;             // of the modulus, in bytes
    std::size_t exponent_size;    // of the private keys that we draw
};

/// Made once for the process, never changed later. Exponents are as long as RFC 3526 §8 asks for by its higher estimate of each group's
/// strength: 320, 420 and 480 bits; longer ones would only cost time.
struct ModularGroups {
    ModularGroup modp2048 = load(BN_get_rfc3526_prime_2048(nullptr), 256, 40);
    ModularGroup modp3072 = load(BN_get_rfc3526_prime_3072(nullptr), 384, 53);
    ModularGroup modp4096 = load(BN_get_rfc3526_prime_4096(nullptr), 512, 60);

    static const ModularGroups& get() {
        static const ModularGroups instance;
        return instance;
    }

private:
    ModularGroups() = default;

    static ModularGroup load(BIGNUM* prime, std::size_t size, std::size_t exponent_size) {
        ModularGroup group{openssl::Number{prime}, openssl::Number{prime ? BN_dup(prime) : nullptr}, openssl::Montgomery{BN_MONT_CTX_new()}, size, exponent_size};
        const openssl::NumberContext context{BN_CTX_new()};
        require(context && group.prime && group.last && group.montgomery && BN_sub_word(group.last.get(), 1) == 1 &&
                    BN_num_bytes(group.prime.get()) == static_cast<int>(size) && BN_MONT_CTX_set(group.montgomery.get(), group.prime.get(), context.get()) == 1,
                "find a MODP group");
        return group;
    }
};

const ModularGroup& modular_group(Group group) {
    if (group == Group::modp2048) return ModularGroups::get().modp2048;
    if (group == Group::modp3072) return ModularGroups::get().modp3072;
    require(group == Group::modp4096, "compute in a MODP group of another kind");
    return ModularGroups::get().modp4096;
}

/// base ^ exponent mod p, as long as the modulus (RFC 7296 §2.14 and §3.4).
void power(const ModularGroup& group, const BIGNUM* base, ByteView exponent, std::span<std::uint8_t> output) {
    const openssl::NumberContext context{BN_CTX_secure_new()};
    const openssl::Number secret = openssl::secret_number(exponent), result{BN_new()};
    require(context && result &&
                BN_mod_exp_mont_consttime(result.get(), base, secret.get(), group.prime.get(), context.get(), group.montgomery.get()) == 1 &&
                BN_bn2binpad(result.get(), output.data(), static_cast<int>(output.size())) >= 0,
            "compute a power");
}

/// With the top bit set, so that it is never short, let alone zero.
Secret draw_modular(Group group, Random& random) {
    Secret exponent{modular_group(group).exponent_size};
    random.fill(exponent.writable());
    exponent.writable().front() |= 0x80;
    return exponent;
}

bool admits_modular(Group group, ByteView private_key) {
    const ModularGroup& known = modular_group(group);
    if (private_key.empty() || private_key.size() > known.size) return false;
    const openssl::Number exponent = openssl::secret_number(private_key);
    return !BN_is_zero(exponent.get()) && BN_cmp(exponent.get(), known.last.get()) < 0;
}

Bytes modular_public(Group group, ByteView private_key) {
    const ModularGroup& known = modular_group(group);
    const openssl::Number generator{BN_new()};
    require(generator && BN_set_word(generator.get(), 2) == 1, "make a number");
    Bytes public_value(known.size);
    power(known, generator.get(), private_key, public_value);
    return public_value;
}

std::expected<Secret, KeyExchangeError> modular_agree(Group group, ByteView private_key, ByteView, ByteView peer_public) {
    const ModularGroup& known = modular_group(group);
    if (peer_public.size() != known.size) return std::unexpected{KeyExchangeError::wrong_length};
    const openssl::Number peer{BN_bin2bn(peer_public.data(), static_cast<int>(peer_public.size()), nullptr)};
    require(peer != nullptr, "read a number");
    // RFC 6989 §2.1: 2 to p - 2. As (p - 1) / 2 is prime, nothing else in there has a small order, and no further check is needed.
    if (BN_is_zero(peer.get()) || BN_is_one(peer.get()) || BN_cmp(peer.get(), known.last.get()) >= 0) return std::unexpected{KeyExchangeError::out_of_range};
    Secret shared{known.size};
    power(known, peer.get(), private_key, shared.writable());
    return shared;
}

}  // namespace

const GroupKind kModularGroups{draw_modular, admits_modular, modular_public, modular_agree};

}  // namespace nave::ike
