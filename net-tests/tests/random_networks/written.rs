//! Written by `UPDATE_NETS=1 cargo test -p castnet-net-tests --test random_networks`.
#![allow(missing_docs)]

use castnet::prelude::*;

network! {
    pub net Net7 {
        layer0: Linear(out_features = 3);
        layer5: Conv2d(out_channels = 2, kernel_size = 3, stride = 2, padding = 0, dilation = 1);

        pub train fn loss(x: f32[N, 1, 5, 8], target: u8[N]) -> f32 {
            let v0 = x;
            let v73 = target;
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
            let v64 = square(v55);
            let v67 = add(v64, 0.5);
            let v68 = sqrt(v67);
            let v71 = mul(v68, 0.5);
            let v72 = sin(v71);
            let v97 = cross_entropy(v72, v73);
            v97
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
            let v147 = clamp(v122, -0.6, 0.7);
            let v148 = sin(v147);
            let v151 = mean(v148);
            v151
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
            let v110 = cross_entropy(v85, v86);
            v110
        }
    }
}

network! {
    pub net Net15 {
        layer0: Linear(out_features = 11);
        layer3: Linear(out_features = 7);

        pub train fn loss(x: f32[N, 37], target: f32[N, 1, 7]) -> f32 {
            let v0 = x;
            let v108 = target;
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
            let v80 = clamp(v65, -0.6, 0.7);
            let v81 = cos(v80);
            let v84 = mul(v81, 0.5);
            let v85 = sin(v84);
            let v92 = layer3(v85);
            let v107 = dropout(v92, 0.25);
            let v113 = mse_loss(v107, v108);
            v113
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
            let v112 = target;
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
            let v70 = silu(v58);
            let v86 = tanh(v70);
            let v89 = mul(v86, 0.5);
            let v90 = sin(v89);
            let v91 = tanh(v90);
            let v94 = mul(v91, 0.5);
            let v95 = sin(v94);
            let v98 = roll(v95, 1, 1);
            let v105 = t(v98);
            let v106 = matmul(v105, v98);
            let v109 = mul(v106, 0.05);
            let v110 = tanh(v109);
            let v111 = matmul(v98, v110);
            let v117 = mse_loss(v111, v112);
            v117
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
            let v85 = sub(v71, v76);
            let v88 = mul(v85, 0.5);
            let v89 = sin(v88);
            let v91 = tanh(v89);
            let v94 = mul(v91, 0.5);
            let v95 = sin(v94);
            let v110 = arange(2);
            let v113 = mul(v110, 3);
            let v116 = remainder(v113, 32);
            let v119 = index_select(v95, 1, v116);
            let v120 = sin(v119);
            let v123 = mean(v120);
            v123
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
            let v39 = cross_entropy(v14, v15);
            v39
        }
    }
}

network! {
    pub net Net31 {
        layer0: Linear(out_features = 1);
        layer4: Conv2d(out_channels = 7, kernel_size = 2, stride = 2, padding = 1, dilation = 2);

        pub train fn loss(x: f32[N, 2, 5, 7], target: f32[N, 7, 5, 1]) -> f32 {
            let v0 = x;
            let v192 = target;
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
            let v132 = clamp(v102, -0.6, 0.7);
            let v153 = arange(5);
            let v156 = mul(v153, 3);
            let v159 = remainder(v156, 3);
            let v162 = index_select(v132, 2, v159);
            let v175 = square(v162);
            let v178 = add(v175, 0.5);
            let v181 = reciprocal(v178);
            let v184 = mul(v181, 0.5);
            let v185 = sin(v184);
            let v187 = sub(v185, v93);
            let v190 = mul(v187, 0.5);
            let v191 = sin(v190);
            let v197 = mse_loss(v191, v192);
            v197
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
            let v81 = roll(v70, 2, 1);
            let v91 = layer0(v81);
            let v108 = layer3(v81);
            let v120 = layer5(v108);
            let v128 = log_softmax(v120, 3);
            let v138 = dropout(v128, 0.25);
            let v139 = permute(v128, [0, 3, 1, 2]);
            let v140 = arange(2);
            let v143 = mul(v140, 3);
            let v146 = remainder(v143, 3);
            let v149 = index_select(v139, 3, v146);
            let v151 = amax(v149, 0, true);
            let v153 = sub(v149, v151);
            let v156 = mul(v153, 0.5);
            let v157 = sin(v156);
            let v159 = sin(v157);
            let v162 = mean(v159);
            v162
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
            let v145 = target;
            let v6 = layer0(v0);
            let v16 = dropout(v6, 0.25);
            let v27 = layer4(v6);
            let v28 = add(v27, v6);
            let v31 = mul(v28, 0.5);
            let v32 = sin(v31);
            let v33 = permute(v32, [0, 3, 1, 2]);
            let v40 = layer5(v27);
            let v50 = dropout(v33, 0.25);
            let v65 = clamp(v33, -0.6, 0.7);
            let v72 = sum(v40, 0, true);
            let v74 = sub(v40, v72);
            let v77 = mul(v74, 0.5);
            let v78 = sin(v77);
            let v88 = dropout(v50, 0.25);
            let v98 = layer4(v65);
            let v99 = narrow(v78, 3, 1, 3);
            let v113 = arange(4);
            let v116 = mul(v113, 3);
            let v119 = remainder(v116, 3);
            let v122 = index_select(v99, 1, v119);
            let v137 = clamp(v122, -0.6, 0.7);
            let v139 = tanh(v137);
            let v142 = mul(v139, 0.5);
            let v143 = sin(v142);
            let v169 = cross_entropy(v143, v145);
            v169
        }
    }
}
