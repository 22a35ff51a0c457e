// Notify payloads and their types (RFC 7296 §3.10).
#pragma once

#include "common/bytes.hpp"
#include "controlplane/ike/wire_types.hpp"

#include <cstdint>
#include <string>

namespace nave::ike {

/// Message types that we send or act on; any other number is a valid value too. Below 16384: errors.
enum class NotifyType : std::uint16_t {
    unsupported_critical_payload = 1,
    invalid_ike_spi = 4,
    invalid_major_version = 5,
    invalid_syntax = 7,
    invalid_message_id = 9,
    invalid_spi = 11,
    no_proposal_chosen = 14,
    invalid_ke_payload = 17,
    authentication_failed = 24,
    single_pair_required = 34,
    no_additional_sas = 35,
    internal_address_failure = 36,
    failed_cp_required = 37,
    ts_unacceptable = 38,
    invalid_selectors = 39,
    temporary_failure = 43,
    child_sa_not_found = 44,
    state_not_found = 47,  // RFC 9370
    ts_max_queue = 48,
    initial_contact = 16384,
    set_window_size = 16385,
    additional_ts_possible = 16386,
    ipcomp_supported = 16387,
    nat_detection_source_ip = 16388,
    nat_detection_destination_ip = 16389,
    cookie = 16390,
    use_transport_mode = 16391,
    http_cert_lookup_supported = 16392,
    rekey_sa = 16393,
    esp_tfc_padding_not_supported = 16394,
    non_first_fragments_also = 16395,
    mobike_supported = 16396,
    additional_ip4_address = 16397,
    multiple_auth_supported = 16404,
    redirect_supported = 16406,  // RFC 5685
    redirect = 16407,
    redirected_from = 16408,
    ticket_lt_opaque = 16409,    // RFC 5723
    ticket_request = 16410,
    ticket_ack = 16411,
    ticket_nack = 16412,
    ticket_opaque = 16413,
    eap_only_authentication = 16417,
    childless_ikev2_supported = 16418,
    ikev2_message_id_sync_supported = 16420,
    ikev2_message_id_sync = 16422,
    ikev2_fragmentation_supported = 16430,
    signature_hash_algorithms = 16431,
    use_ppk = 16435,       // RFC 8784
    ppk_identity = 16436,
    no_ppk_auth = 16437,
    intermediate_exchange_supported = 16438,  // RFC 9242
    additional_key_exchange = 16441,          // RFC 9370
    sa_resource_info = 16444,
};

/// An error, by which the exchange or the SA of a request fails (RFC 7296 §3.10.1).
constexpr bool is_error(NotifyType type) { return static_cast<std::uint16_t>(type) < 16384; }
/// The RFC's name, or "notify 12345".
std::string to_string(NotifyType type);

/// One notification. `protocol` and `spi` are given only where the RFC ties the type to an SA (REKEY_SA, INVALID_SELECTORS, ...).
struct Notify {
    NotifyType type{};
    Bytes data{};
    Protocol protocol = Protocol::none;
    Bytes spi{};
    bool operator==(const Notify&) const = default;
};

}  // namespace nave::ike
