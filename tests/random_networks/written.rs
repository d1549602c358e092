//! Written by `UPDATE_NETS=1 cargo test --test random_networks`.
#![allow(missing_docs)]

use castnet::prelude::*;

network! {
    pub net Net7 {
        layer0: Linear(out_features = 3);
        layer5: Conv2d(out_channels = 2, kernel_size = 3, stride = 2, padding = 0, dilation = 1);

        pub train fn loss(x: f32[N, 1, 5, 8], target: u8[N]) -> f32 {
            let v0 = x;
            let v71 = target;
            let v7 = layer0(v0);
            let v21 = layer5(v7);
            let v24 = mul(v21, 0.5);
            let v25 = sin(v24);
            let v33 = flatten(v25, 1);
            let v34 = square(v33);
            let v37 = mul(v34, 0.5);
            let v38 = sin(v37);
            let v39 = abs(v38);
            let v42 = mul(v39, 0.5);
            let v43 = sin(v42);
            let v51 = tanh(v43);
            let v54 = mul(v51, 0.5);
            let v55 = sin(v54);
            let v62 = square(v55);
            let v65 = add(v62, 0.5);
            let v66 = sqrt(v65);
            let v69 = mul(v66, 0.5);
            let v70 = sin(v69);
            let v94 = cross_entropy(v70, v71);
            v94
        }
    }
}

network! {
    pub net Net10 {
        layer0: Linear(out_features = 8);
        layer5: Linear(out_features = 37);

        pub train fn loss(x: f32[N, 37]) -> f32 {
            let v0 = x;
            let v5 = layer0(v0);
            let v11 = layer5(v5);
            let v14 = mul(v11, 0.5);
            let v15 = sin(v14);
            let v28 = unsqueeze(v15, 1);
            let v29 = square(v28);
            let v32 = add(v29, 0.5);
            let v33 = sqrt(v32);
            let v36 = mul(v33, 0.5);
            let v37 = sin(v36);
            let v38 = flatten(v37, 1);
            let v49 = gelu(v38);
            let v52 = mul(v49, 0.5);
            let v53 = sin(v52);
            let v62 = sigmoid(v53);
            let v65 = mul(v62, 0.5);
            let v66 = sin(v65);
            let v73 = layer0(v66);
            let v76 = mul(v73, 0.5);
            let v77 = sin(v76);
            let v78 = arange(1);
            let v81 = mul(v78, 3);
            let v84 = remainder(v81, 8);
            let v87 = index_select(v77, 1, v84);
            let v99 = mean(v87, 1, true);
            let v100 = sub(v87, v99);
            let v103 = mul(v100, 0.5);
            let v104 = sin(v103);
            let v116 = amax(v104, 0, true);
            let v118 = sub(v104, v116);
            let v121 = mul(v118, 0.5);
            let v122 = sin(v121);
            let v138 = clamp(v122, -0.6, 0.7);
            let v141 = mul(v138, 0.5);
            let v142 = sin(v141);
            let v143 = sin(v142);
            let v146 = mean(v143);
            v146
        }
    }
}

network! {
    pub net Net14 {
        layer0: Linear(out_features = 7);
        layer1: Dropout(p = 0.3);
        layer4: Linear(out_features = 3);

        pub train fn loss(x: f32[N, 1], target: u8[N]) -> f32 {
            let v0 = x;
            let v86 = target;
            let v5 = layer0(v0);
            let v16 = log_softmax(v5, 0);
            let v21 = layer4(v16);
            let v24 = mul(v21, 0.5);
            let v25 = sin(v24);
            let v35 = layer1(v25);
            let v37 = abs(v35);
            let v40 = mul(v37, 0.5);
            let v41 = sin(v40);
            let v46 = arange(5);
            let v49 = mul(v46, 3);
            let v52 = remainder(v49, 3);
            let v53 = expand(v52, [N, -1]);
            let v54 = gather(v41, 1, v53);
            let v55 = square(v54);
            let v58 = add(v55, 0.5);
            let v59 = rsqrt(v58);
            let v62 = mul(v59, 0.5);
            let v63 = sin(v62);
            let v74 = t(v63);
            let v75 = matmul(v74, v63);
            let v78 = mul(v75, 0.05);
            let v79 = tanh(v78);
            let v80 = matmul(v63, v79);
            let v81 = tanh(v80);
            let v84 = mul(v81, 0.5);
            let v85 = sin(v84);
            let v109 = cross_entropy(v85, v86);
            v109
        }
    }
}

network! {
    pub net Net15 {
        layer0: Linear(out_features = 11);
        layer3: Linear(out_features = 7);

        pub train fn loss(x: f32[N, 37], target: f32[N, 1, 7]) -> f32 {
            let v0 = x;
            let v103 = target;
            let v5 = layer0(v0);
            let v15 = dropout(v0, 0.25);
            let v33 = dropout(v5, 0.25);
            let v38 = cos(v33);
            let v41 = mul(v38, 0.5);
            let v42 = sin(v41);
            let v46 = tanh(v42);
            let v49 = mul(v46, 0.5);
            let v50 = sin(v49);
            let v51 = square(v50);
            let v54 = add(v51, 0.5);
            let v55 = rsqrt(v54);
            let v58 = mul(v55, 0.5);
            let v59 = sin(v58);
            let v65 = unsqueeze(v59, 1);
            let v71 = clamp(v65, -0.6, 0.7);
            let v74 = mul(v71, 0.5);
            let v75 = sin(v74);
            let v76 = cos(v75);
            let v79 = mul(v76, 0.5);
            let v80 = sin(v79);
            let v87 = layer3(v80);
            let v102 = dropout(v87, 0.25);
            let v108 = mse_loss(v102, v103);
            v108
        }
    }
}

network! {
    pub net Net17 {
        layer0: Linear(out_features = 1);
        layer1: Linear(out_features = 5);
        layer3: Linear(out_features = 5);

        pub train fn loss(x: f32[N, 1], target: f32[N, 5]) -> f32 {
            let v0 = x;
            let v110 = target;
            let v5 = layer0(v0);
            let v23 = dropout(v5, 0.25);
            let v28 = layer3(v23);
            let v31 = mul(v28, 0.5);
            let v32 = sin(v31);
            let v37 = layer1(v32);
            let v40 = mul(v37, 0.5);
            let v41 = sin(v40);
            let v42 = sub(v41, v41);
            let v45 = mul(v42, 0.5);
            let v46 = sin(v45);
            let v54 = minimum(v46, v23);
            let v57 = mul(v54, 0.5);
            let v58 = sin(v57);
            let v64 = silu(v58);
            let v67 = mul(v64, 0.5);
            let v68 = sin(v67);
            let v84 = tanh(v68);
            let v87 = mul(v84, 0.5);
            let v88 = sin(v87);
            let v89 = tanh(v88);
            let v92 = mul(v89, 0.5);
            let v93 = sin(v92);
            let v96 = roll(v93, 1, 1);
            let v103 = t(v96);
            let v104 = matmul(v103, v96);
            let v107 = mul(v104, 0.05);
            let v108 = tanh(v107);
            let v109 = matmul(v96, v108);
            let v115 = mse_loss(v109, v110);
            v115
        }
    }
}

network! {
    pub net Net19 {
        layer0: Linear(out_features = 11);
        layer1: Linear(out_features = 37);
        layer2: Linear(out_features = 32);
        layer5: Linear(out_features = 37);

        pub train fn loss(x: f32[N, 2]) -> f32 {
            let v0 = x;
            let v5 = layer0(v0);
            let v10 = layer1(v5);
            let v13 = mul(v10, 0.5);
            let v14 = sin(v13);
            let v19 = layer5(v14);
            let v22 = mul(v19, 0.5);
            let v23 = sin(v22);
            let v45 = dropout(v14, 0.25);
            let v46 = abs(v23);
            let v49 = mul(v46, 0.5);
            let v50 = sin(v49);
            let v62 = layer2(v50);
            let v65 = mul(v62, 0.5);
            let v66 = sin(v65);
            let v67 = tanh(v66);
            let v70 = mul(v67, 0.5);
            let v71 = sin(v70);
            let v72 = tanh(v66);
            let v75 = mul(v72, 0.5);
            let v76 = sin(v75);
            let v83 = sub(v71, v76);
            let v86 = mul(v83, 0.5);
            let v87 = sin(v86);
            let v89 = tanh(v87);
            let v92 = mul(v89, 0.5);
            let v93 = sin(v92);
            let v108 = arange(2);
            let v111 = mul(v108, 3);
            let v114 = remainder(v111, 32);
            let v117 = index_select(v93, 1, v114);
            let v118 = sin(v117);
            let v121 = mean(v118);
            v121
        }
    }
}

network! {
    pub net Net27 {
        layer1: Linear(out_features = 3);
        layer4: Linear(out_features = 7);

        pub train fn loss(x: f32[N, 3], target: u8[N]) -> f32 {
            let v0 = x;
            let v15 = target;
            let v5 = layer1(v0);
            let v10 = layer4(v5);
            let v13 = mul(v10, 0.5);
            let v14 = sin(v13);
            let v38 = cross_entropy(v14, v15);
            v38
        }
    }
}

network! {
    pub net Net31 {
        layer0: Linear(out_features = 1);
        layer4: Conv2d(out_channels = 7, kernel_size = 2, stride = 2, padding = 1, dilation = 2);

        pub train fn loss(x: f32[N, 2, 5, 7], target: f32[N, 7, 5, 1]) -> f32 {
            let v0 = x;
            let v182 = target;
            let v7 = layer0(v0);
            let v8 = cos(v7);
            let v11 = mul(v8, 0.5);
            let v12 = sin(v11);
            let v19 = softmax(v7, 1);
            let v20 = ge(v12, v19);
            let v23 = where_(v20, v12, 0.1);
            let v42 = select(v23, 1, 1);
            let v43 = unsqueeze(v42, 1);
            let v55 = amax(v43, 0, true);
            let v57 = sub(v43, v55);
            let v60 = mul(v57, 0.5);
            let v61 = sin(v60);
            let v66 = exp(v43);
            let v69 = mul(v66, 0.5);
            let v70 = sin(v69);
            let v82 = max_pool2d(v61, 3, 1, 1);
            let v92 = mul(v70, 0.5);
            let v93 = sin(v92);
            let v98 = layer4(v82);
            let v101 = mul(v98, 0.5);
            let v102 = sin(v101);
            let v118 = clamp(v102, -0.6, 0.7);
            let v121 = mul(v118, 0.5);
            let v122 = sin(v121);
            let v143 = arange(5);
            let v146 = mul(v143, 3);
            let v149 = remainder(v146, 3);
            let v152 = index_select(v122, 2, v149);
            let v165 = square(v152);
            let v168 = add(v165, 0.5);
            let v171 = reciprocal(v168);
            let v174 = mul(v171, 0.5);
            let v175 = sin(v174);
            let v177 = sub(v175, v93);
            let v180 = mul(v177, 0.5);
            let v181 = sin(v180);
            let v187 = mse_loss(v181, v182);
            v187
        }
    }
}

network! {
    pub net Net32 {
        layer0: Dropout(p = 0.3);
        layer3: Linear(out_features = 7);
        layer5: Linear(out_features = 1);

        pub train fn loss(x: f32[N, 3, 7, 8]) -> f32 {
            let v0 = x;
            let v10 = layer0(v0);
            let v16 = tanh(v0);
            let v19 = mul(v16, 0.5);
            let v20 = sin(v19);
            let v26 = exp(v20);
            let v29 = mul(v26, 0.5);
            let v30 = sin(v29);
            let v36 = neg(v30);
            let v39 = mul(v36, 0.5);
            let v40 = sin(v39);
            let v56 = permute(v40, [0, 3, 1, 2]);
            let v69 = select(v56, 3, 0);
            let v70 = unsqueeze(v69, 3);
            let v79 = roll(v70, 2, 1);
            let v89 = layer0(v79);
            let v106 = layer3(v79);
            let v118 = layer5(v106);
            let v126 = log_softmax(v118, 3);
            let v136 = dropout(v126, 0.25);
            let v137 = permute(v126, [0, 3, 1, 2]);
            let v138 = arange(2);
            let v141 = mul(v138, 3);
            let v144 = remainder(v141, 3);
            let v147 = index_select(v137, 3, v144);
            let v149 = amax(v147, 0, true);
            let v151 = sub(v147, v149);
            let v154 = mul(v151, 0.5);
            let v155 = sin(v154);
            let v157 = sin(v155);
            let v160 = mean(v157);
            v160
        }
    }
}

network! {
    pub net Net52 {
        layer0: Conv2d(out_channels = 3, kernel_size = 1, stride = 1, padding = 1, dilation = 2);
        layer4: Dropout(p = 0.3);
        layer5: Linear(out_features = 4);

        pub train fn loss(x: f32[N, 5, 7, 4], target: u8[N, 9, 3]) -> f32 {
            let v0 = x;
            let v135 = target;
            let v6 = layer0(v0);
            let v16 = dropout(v6, 0.25);
            let v27 = layer4(v6);
            let v28 = add(v27, v6);
            let v31 = mul(v28, 0.5);
            let v32 = sin(v31);
            let v33 = permute(v32, [0, 3, 1, 2]);
            let v40 = layer5(v27);
            let v50 = dropout(v33, 0.25);
            let v56 = clamp(v33, -0.6, 0.7);
            let v59 = mul(v56, 0.5);
            let v60 = sin(v59);
            let v67 = sum(v40, 0, true);
            let v69 = sub(v40, v67);
            let v72 = mul(v69, 0.5);
            let v73 = sin(v72);
            let v83 = dropout(v50, 0.25);
            let v93 = layer4(v60);
            let v94 = narrow(v73, 3, 1, 3);
            let v108 = arange(4);
            let v111 = mul(v108, 3);
            let v114 = remainder(v111, 3);
            let v117 = index_select(v94, 1, v114);
            let v123 = clamp(v117, -0.6, 0.7);
            let v126 = mul(v123, 0.5);
            let v127 = sin(v126);
            let v129 = tanh(v127);
            let v132 = mul(v129, 0.5);
            let v133 = sin(v132);
            let v158 = cross_entropy(v133, v135);
            v158
        }
    }
}
