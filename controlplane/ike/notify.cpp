// Names of notifications as the RFCs write them.
#include "controlplane/ike/notify.hpp"

#include <string_view>
#include <utility>

namespace nave::ike {

namespace {

std::string_view rfc_name(NotifyType type) {
    using enum NotifyType;
    switch (type) {
    case unsupported_critical_payload:    return "UNSUPPORTED_CRITICAL_PAYLOAD";
    case invalid_ike_spi:                 return "INVALID_IKE_SPI";
    case invalid_major_version:           return "INVALID_MAJOR_VERSION";
    case invalid_syntax:                  return "INVALID_SYNTAX";
    case invalid_message_id:              return "INVALID_MESSAGE_ID";
    case invalid_spi:                     return "INVALID_SPI";
    case no_proposal_chosen:              return "NO_PROPOSAL_CHOSEN";
    case invalid_ke_payload:              return "INVALID_KE_PAYLOAD";
    case authentication_failed:           return "AUTHENTICATION_FAILED";
    case single_pair_required:            return "SINGLE_PAIR_REQUIRED";
    case no_additional_sas:               return "NO_ADDITIONAL_SAS";
    case internal_address_failure:        return "INTERNAL_ADDRESS_FAILURE";
    case failed_cp_required:              return "FAILED_CP_REQUIRED";
    case ts_unacceptable:                 return "TS_UNACCEPTABLE";
    case invalid_selectors:               return "INVALID_SELECTORS";
    case temporary_failure:               return "TEMPORARY_FAILURE";
    case child_sa_not_found:              return "CHILD_SA_NOT_FOUND";
    case state_not_found:                 return "STATE_NOT_FOUND";
    case ts_max_queue:                    return "TS_MAX_QUEUE";
    case initial_contact:                 return "INITIAL_CONTACT";
    case set_window_size:                 return "SET_WINDOW_SIZE";
    case additional_ts_possible:          return "ADDITIONAL_TS_POSSIBLE";
    case ipcomp_supported:                return "IPCOMP_SUPPORTED";
    case nat_detection_source_ip:         return "NAT_DETECTION_SOURCE_IP";
    case nat_detection_destination_ip:    return "NAT_DETECTION_DESTINATION_IP";
    case cookie:                          return "COOKIE";
    case use_transport_mode:              return "USE_TRANSPORT_MODE";
    case http_cert_lookup_supported:      return "HTTP_CERT_LOOKUP_SUPPORTED";
    case rekey_sa:                        return "REKEY_SA";
    case esp_tfc_padding_not_supported:   return "ESP_TFC_PADDING_NOT_SUPPORTED";
    case non_first_fragments_also:        return "NON_FIRST_FRAGMENTS_ALSO";
    case mobike_supported:                return "MOBIKE_SUPPORTED";
    case additional_ip4_address:          return "ADDITIONAL_IP4_ADDRESS";
    case multiple_auth_supported:         return "MULTIPLE_AUTH_SUPPORTED";
    case redirect_supported:              return "REDIRECT_SUPPORTED";
    case redirect:                        return "REDIRECT";
    case redirected_from:                 return "REDIRECTED_FROM";
    case ticket_lt_opaque:                return "TICKET_LT_OPAQUE";
    case ticket_request:                  return "TICKET_REQUEST";
    case ticket_ack:                      return "TICKET_ACK";
    case ticket_nack:                     return "TICKET_NACK";
    case ticket_opaque:                   return "TICKET_OPAQUE";
    case eap_only_authentication:         return "EAP_ONLY_AUTHENTICATION";
    case childless_ikev2_supported:       return "CHILDLESS_IKEV2_SUPPORTED";
    case ikev2_message_id_sync_supported: return "IKEV2_MESSAGE_ID_SYNC_SUPPORTED";
    case ikev2_message_id_sync:           return "IKEV2_MESSAGE_ID_SYNC";
    case ikev2_fragmentation_supported:   return "IKEV2_FRAGMENTATION_SUPPORTED";
    case sa_resource_info:                return "SA_RESOURCE_INFO";
    case signature_hash_algorithms:       return "SIGNATURE_HASH_ALGORITHMS";
    case use_ppk:                         return "USE_PPK";
    case ppk_identity:                    return "PPK_IDENTITY";
    case no_ppk_auth:                     return "NO_PPK_AUTH";
    case intermediate_exchange_supported: return "INTERMEDIATE_EXCHANGE_SUPPORTED";
    case additional_key_exchange:         return "ADDITIONAL_KEY_EXCHANGE";
    }
    return {};
}

}  // namespace

std::string to_string(NotifyType type) {
    const std::string_view known = rfc_name(type);
    return known.empty() ? "notify " + std::to_string(std::to_underlying(type)) : std::string{known};
}

}  // namespace nave::ike
